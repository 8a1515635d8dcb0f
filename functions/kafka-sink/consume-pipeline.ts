import type { KafkaDriver, Subscription, TopicState } from '../../shared/adapters/kafka/driver.ts';
import type { EventStore } from '../../shared/adapters/spanner/ingest/event-store.ts';
import { messageOf, PenstockError } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import type { KafkaSource } from '../../shared/model/config/declaration.ts';
import type { CompiledPipeline } from '../../shared/model/events/compile-pipeline.ts';
import { ownPartitions, type PartitionOwner, type SinkProgress } from './own-partitions.ts';
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
 * Consumes one pipeline until the signal, or, when asked to, until everything that the topic held at the start is in
 * Spanner. A broker that is down and a topic that is missing are waited for.
 *
 * @throws whatever repeating does not mend: a recreated topic, offsets that are gone, a table that changed
 */
export async function consumePipeline(context: ConsumeContext): Promise<void> {
  const { driver, source, signal, log, compiled } = context;
  const delays = retryDelays();
  let targets: ReadonlyMap<number, bigint> | undefined;
  while (!signal.aborted) {
    try {
      const topic = await driver.describeTopic(source.topic);
      if (topic) {
        targets ??= new Map(topic.partitions.filter(notEmpty).map(({ partition, end }) => [partition, end]));
        if (await consumeOnce(context, targets)) return;
      } else {
        log('WARNING', `Topic ${source.topic} of pipeline ${compiled.pipeline.name} does not exist; waiting for it`);
      }
    } catch (error) {
      if (error instanceof PenstockError) throw error;
      log('WARNING', `Kafka cannot be reached for pipeline ${compiled.pipeline.name}: ${messageOf(error)}`);
    }
    await pause(delays.next().value, signal);
  }
}

function notEmpty({ earliest, end }: TopicState['partitions'][number]): boolean {
  return end > earliest;
}

/** One membership in the group; true when it ended because all is done. */
async function consumeOnce(context: ConsumeContext, targets: ReadonlyMap<number, bigint>): Promise<boolean> {
  const { driver, compiled, source, signal } = context;
  const ended = Promise.withResolvers<boolean>();
  ended.promise.catch(() => {});
  const ending = new AbortController();
  const stopping = AbortSignal.any([signal, ending.signal]);
  stopping.addEventListener('abort', () => ended.resolve(true), { once: true });
  const owner = ownPartitions({ ...context, topic: source.topic, signal: stopping, onFailure: ended.reject });
  const everyMs = context.tableCheckMs ?? TABLE_CHECK_MS;
  const look = watchTables({ ...context, signal: stopping, everyMs, onChange: ended.reject });
  let subscription: Subscription | undefined;
  try {
    subscription = await driver.subscribe(
      {
        group: source.group,
        topics: [source.topic],
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

/** Resolves when every partition has reached its target, ours by position, others' by checkpoint. */
async function watch(
  { store, compiled, source }: ConsumeContext,
  owner: PartitionOwner,
  targets: ReadonlyMap<number, bigint>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const positions = owner.positions();
    const behind = [...targets].filter(([partition, end]) => (positions.get(partition) ?? -1n) < end);
    if (behind.length === 0) return;
    const oursAreDone = behind.every(([partition]) => !positions.has(partition));
    if (oursAreDone) {
      const others = await store.nextOffsets(compiled.pipeline.name, source.topic);
      if (behind.every(([partition, end]) => (others.get(partition) ?? -1n) >= end)) return;
    }
    await pause(oursAreDone ? OTHERS_EVERY_MS : CAUGHT_UP_EVERY_MS, signal);
  }
}
