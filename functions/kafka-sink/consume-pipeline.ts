import type { KafkaDriver, Subscription, TopicSource } from '../../shared/adapters/kafka/driver.ts';
import { KafkaAuthError } from '../../shared/adapters/kafka/kafka-errors.ts';
import type { EventStore, TopicIdentity } from '../../shared/adapters/spanner/ingest/event-store.ts';
import { messageOf, PenstockError } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import type { KafkaSource } from '../../shared/model/config/declaration.ts';
import { describeSource } from '../../shared/model/config/describe-source.ts';
import { topicPattern } from '../../shared/model/config/topic-pattern.ts';
import type { CompiledPipeline } from '../../shared/model/events/compile-pipeline.ts';
import { batchSize } from './batch-size.ts';
import { ownPartitions, type PartitionOwner, partitionName, type SinkProgress } from './own-partitions.ts';
import { pause, retryDelays } from './retry-delays.ts';
import { TABLE_CHECK_MS, watchTables } from './watch-tables.ts';

const CAUGHT_UP_EVERY_MS = 100;
const OTHERS_EVERY_MS = 1_000;

export interface ConsumeContext {
  readonly driver: KafkaDriver;
  readonly store: EventStore;
  readonly compiled: CompiledPipeline;
  readonly source: KafkaSource;
  readonly untilCaughtUp: boolean;
  readonly sessionTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly onProgress: (progress: SinkProgress) => void;
  /** How often the tables are looked at, in milliseconds; a minute unless given. */
  readonly tableCheckMs?: number | undefined;
}

/**
 * Consumes one pipeline until the signal, or, when asked to, until everything that the topics held at the start is
 * in Spanner. Brokers that are down or refuse our credentials, and topics that are missing, are waited for.
 *
 * @throws whatever repeating does not mend: a recreated topic, offsets that are gone, a table that changed
 */
export async function consumePipeline(context: ConsumeContext): Promise<void> {
  const { driver, source, signal, log, compiled } = context;
  const delays = retryDelays();
  let targets: Targets | undefined;
  while (!signal.aborted) {
    try {
      const found = await findTargets(driver, source);
      if (found.size > 0) {
        targets ??= found;
        if (await consumeOnce(context, targets)) return;
      } else {
        log(
          'WARNING',
          `${describeSource(source)} of pipeline ${compiled.pipeline.name} does not exist; waiting for it`,
        );
      }
    } catch (error) {
      if (error instanceof PenstockError && !(error instanceof KafkaAuthError)) throw error;
      log('WARNING', `Kafka cannot be reached for pipeline ${compiled.pipeline.name}: ${messageOf(error)}`);
    }
    await pause(delays.next().value, signal);
  }
}

/** By topic, where each partition that is not empty ended at the start, by `partitionName`. */
type Targets = ReadonlyMap<string, { readonly topicId: string; readonly ends: ReadonlyMap<string, bigint> }>;

async function findTargets(driver: KafkaDriver, source: KafkaSource): Promise<Targets> {
  const targets: Map<string, NonNullable<ReturnType<Targets['get']>>> = new Map();
  for (const topic of await driver.findTopics(topicsOf(source))) {
    const { topicId = '', partitions = [] } = (await driver.describeTopic(topic)) ?? {};
    const filled = partitions.filter(({ earliest, end }) => end > earliest);
    const ends = new Map(filled.map(({ partition, end }) => [partitionName({ topic, partition }), end]));
    targets.set(topic, { topicId, ends });
  }
  return targets;
}

function topicsOf({ topics, pattern }: KafkaSource): TopicSource {
  return pattern === undefined ? topics : topicPattern(pattern);
}

/** One membership in the group; true when it ended because all is done. */
async function consumeOnce(context: ConsumeContext, targets: Targets): Promise<boolean> {
  const { driver, compiled, source, signal } = context;
  const ended = Promise.withResolvers<boolean>();
  ended.promise.catch(() => {});
  const ending = new AbortController();
  const stopping = AbortSignal.any([signal, ending.signal]);
  stopping.addEventListener('abort', () => ended.resolve(true), { once: true });
  const size = batchSize(compiled.pipeline.batch.maxRows);
  const owner = ownPartitions({ ...context, size, signal: stopping, onFailure: ended.reject });
  const everyMs = context.tableCheckMs ?? TABLE_CHECK_MS;
  const look = watchTables({ ...context, signal: stopping, everyMs, onChange: ended.reject });
  let subscription: Subscription | undefined;
  try {
    subscription = await driver.subscribe(
      {
        group: source.group,
        topics: topicsOf(source),
        maxWaitMs: compiled.pipeline.batch.lingerMs,
        sessionTimeoutMs: context.sessionTimeoutMs,
      },
      {
        onAssigned: (partitions, holder) => {
          owner.assign(partitions, holder);
          look();
        },
        onBatch: owner.take,
        onPositionLost: owner.retake,
        onEnded: ended.reject,
      },
    );
    if (signal.aborted) ended.resolve(true);
    if (context.untilCaughtUp)
      void watch(context, owner, targets, stopping).then(() => ended.resolve(true), ended.reject);
    return await ended.promise;
  } finally {
    ending.abort();
    await subscription?.stop().catch(() => {});
  }
}

/**
 * Resolves when every partition has reached its target, ours by position, others' by checkpoint: one of the very topic
 * that is there now, or a topic that was made anew with fewer records would count as read.
 */
async function watch(
  { store, compiled }: ConsumeContext,
  owner: PartitionOwner,
  targets: Targets,
  signal: AbortSignal,
): Promise<void> {
  const ends = [...targets].flatMap(([topic, { topicId, ends: byName }]) =>
    [...byName].map(([name, end]) => ({ topic, topicId, name, end })),
  );
  while (!signal.aborted) {
    const positions = owner.positions();
    const behind = ends.filter(({ name, end }) => (positions.get(name) ?? -1n) < end);
    if (behind.length === 0) return;
    const oursAreDone = behind.every(({ name }) => !positions.has(name));
    if (oursAreDone) {
      const others = await checkpoints(store, compiled.pipeline.name, behind);
      if (behind.every(({ name, end }) => (others.get(name) ?? -1n) >= end)) return;
    }
    await pause(oursAreDone ? OTHERS_EVERY_MS : CAUGHT_UP_EVERY_MS, signal);
  }
}

async function checkpoints(
  store: EventStore,
  pipeline: string,
  behind: readonly TopicIdentity[],
): Promise<ReadonlyMap<string, bigint>> {
  const found = new Map<string, bigint>();
  for (const [topic, topicId] of new Map(behind.map((one) => [one.topic, one.topicId]))) {
    const offsets = await store.nextOffsets(pipeline, { topic, topicId });
    for (const [partition, offset] of offsets) found.set(partitionName({ topic, partition }), offset);
  }
  return found;
}
