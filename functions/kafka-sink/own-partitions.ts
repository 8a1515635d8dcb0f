import type {
  AssignedPartition,
  KafkaDriver,
  PartitionBatch,
  Subscription,
  TopicPartition,
} from '../../shared/adapters/kafka/driver.ts';
import { FencedError, OffsetGapError, TopicRecreatedError } from '../../shared/adapters/spanner/ingest/checkpoint.ts';
import type { BatchOutcome, EventStore } from '../../shared/adapters/spanner/ingest/event-store.ts';
import { messageOf, PenstockError } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import type { CompiledPipeline } from '../../shared/model/events/compile-pipeline.ts';
import type { BatchSize } from './batch-size.ts';
import { commitRecords } from './commit-records.ts';
import { pause, retryDelays } from './retry-delays.ts';

/** Another worker raised the fence while the group still gives us the partition: it may be about to leave. */
const FENCED_RETRY_MS = 3_000;

/** Progress of one commit. */
export interface SinkProgress extends BatchOutcome {
  readonly pipeline: string;
  readonly topic: string;
  readonly partition: number;
  readonly highWatermark: bigint;
}

export interface OwnerContext {
  readonly driver: KafkaDriver;
  readonly store: EventStore;
  readonly compiled: CompiledPipeline;
  readonly size: BatchSize;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly onProgress: (progress: SinkProgress) => void;
  /** Something that repeating does not mend; the pipeline ends. */
  readonly onFailure: (error: unknown) => void;
}

/** The partitions that a worker holds, each with its fence and position. */
export interface PartitionOwner {
  assign(partitions: readonly AssignedPartition[], subscription: Subscription): void;
  /** Raises the fence anew and looks where the log begins: a partition whose position Kafka no longer has. */
  retake(partition: TopicPartition, reason: Error): void;
  take(batch: PartitionBatch): Promise<void>;
  /** Where each held partition stands, by `partitionName`; undefined while it is being taken. */
  positions(): ReadonlyMap<string, bigint | undefined>;
}

/** A partition's name among those of several topics. */
export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** `taking` until the fence is raised; then every batch must begin at `position`. */
interface Held {
  readonly topic: string;
  readonly partition: number;
  state: 'taking' | 'owned' | 'lost';
  topicId: string;
  fence: bigint;
  /** Where Spanner's checkpoint stands. */
  committed: bigint;
  /** Where the next batch begins: `committed`, or after control records that follow it. */
  position: bigint;
  /** A batch above `position` that was seen once and asked for again. */
  oddFetch: bigint | undefined;
}

/**
 * Holds the partitions of one consumer: raises the fence of each, seeks to Spanner's checkpoint, and commits what comes.
 *
 *     assigned → taking → owned → lost (fenced: taken again, later) → taking …
 */
export function ownPartitions(context: OwnerContext): PartitionOwner {
  let held = new Map<string, Held>();
  let current: Subscription | undefined;
  const isCurrent = (one: Held): boolean => held.get(partitionName(one)) === one && !context.signal.aborted;
  const taker = (one: Held): void => {
    if (!current) return;
    one.state = 'taking';
    current.pause(one);
    void takePartition(context, one, current, isCurrent).catch(context.onFailure);
  };
  const retakeLater = (one: Held): void => {
    one.state = 'lost';
    current?.pause(one);
    void pause(FENCED_RETRY_MS * (0.5 + Math.random()), context.signal).then(() => {
      if (isCurrent(one)) taker(one);
    });
  };
  return {
    assign(partitions, subscription) {
      current = subscription;
      const before = held;
      held = new Map();
      const added: Held[] = [];
      for (const place of partitions) {
        const earlier = place.kept ? before.get(partitionName(place)) : undefined;
        const one = earlier ?? newHeld(place);
        held.set(partitionName(place), one);
        if (!earlier) added.push(one);
      }
      for (const one of added) taker(one);
      context.log(
        'INFO',
        `Pipeline ${context.compiled.pipeline.name} holds partitions ${[...held.keys()].join(', ') || 'none'}`,
      );
    },
    retake(place, reason) {
      const one = held.get(partitionName(place));
      if (!one || context.signal.aborted) return;
      context.log('WARNING', `Partition ${place.partition} of topic ${place.topic} is taken again: ${reason.message}`);
      taker(one);
    },
    async take(batch) {
      const one = held.get(partitionName(batch));
      if (one?.state !== 'owned' || !current || !follows(one, batch, current, taker)) return;
      try {
        await commitBatch(context, one, batch, isCurrent, taker);
        adviseKafka(context, current, one);
      } catch (error) {
        if (!(error instanceof PenstockError) && isCurrent(one)) throw error;
        onBatchFailure(context, one, error, { isCurrent, retake: () => retakeLater(one) });
      }
    },
    positions: () => new Map([...held].map(([name, one]) => [name, one.state === 'owned' ? one.position : undefined])),
  };
}

function newHeld({ topic, partition }: TopicPartition): Held {
  const nowhere = { topicId: '', fence: 0n, committed: 0n, position: 0n, oddFetch: undefined };
  return { topic, partition, state: 'taking', ...nowhere };
}

async function takePartition(
  { driver, store, compiled, signal, log }: OwnerContext,
  one: Held,
  subscription: Subscription,
  isCurrent: (one: Held) => boolean,
): Promise<void> {
  const delays = retryDelays();
  const { topic, partition } = one;
  while (isCurrent(one)) {
    try {
      const state = await driver.describeTopic(topic);
      const found = state?.partitions.find((candidate) => candidate.partition === partition);
      if (!state || !found) throw new Error(`Topic ${topic} has no partition ${partition} now`);
      const pipeline = compiled.pipeline.name;
      const offsets = { earliestOffset: found.earliest, highWatermark: found.end };
      if (!isCurrent(one)) return;
      const taken = await store.raiseFence({ pipeline, topic, partition, topicId: state.topicId, ...offsets });
      if (!isCurrent(one)) return;
      Object.assign(one, { ...taken, topicId: state.topicId, committed: taken.nextOffset, position: taken.nextOffset });
      one.state = 'owned';
      subscription.seek(one, taken.nextOffset);
      subscription.resume(one);
      log('DEBUG', `Took partition ${partition} of ${topic} at ${taken.nextOffset}`, { pipeline, fence: taken.fence });
      return;
    } catch (error) {
      if (error instanceof TopicRecreatedError || error instanceof OffsetGapError) throw error;
      if (error instanceof PenstockError && !error.retryable) throw error;
      const delayMs = delays.next().value;
      log('WARNING', `Cannot take partition ${partition} of topic ${topic} yet: ${messageOf(error)}`, {
        retryInMs: delayMs,
      });
      await pause(delayMs, signal);
    }
  }
}

/**
 * Whether a batch begins where the partition stands.
 *
 * One that begins elsewhere was fetched before our seek, or after the client reset its position because the log no longer
 * has ours. It is asked for again; the second time above our position, with the log still holding it, there was nothing
 * but control records between.
 */
function follows(one: Held, batch: PartitionBatch, subscription: Subscription, take: (one: Held) => void): boolean {
  if (batch.records.length === 0) {
    if (batch.fetchedFrom === one.position) one.position = batch.nextOffset;
    return false;
  }
  if (batch.fetchedFrom === one.position) {
    one.oddFetch = undefined;
    return true;
  }
  if (batch.fetchedFrom < one.position) {
    subscription.seek(one, one.position);
    return false;
  }
  const confirmed = one.oddFetch === batch.fetchedFrom;
  one.oddFetch = confirmed ? undefined : batch.fetchedFrom;
  if (!confirmed) take(one);
  return confirmed;
}

async function commitBatch(
  context: OwnerContext,
  one: Held,
  batch: PartitionBatch,
  isCurrent: (one: Held) => boolean,
  take: (one: Held) => void,
): Promise<void> {
  const { driver, store, compiled, signal, log, onProgress } = context;
  const { topic } = one;
  // Ids never come back: when it still is ours now, what was fetched before now was our topic's.
  if ((batch.topicId ?? (await driver.topicId(topic))) !== one.topicId) {
    if (isCurrent(one)) take(one);
    return;
  }
  if (!isCurrent(one)) return;
  const run = {
    topic,
    partition: one.partition,
    fromOffset: one.committed,
    toOffset: batch.nextOffset,
    records: batch.records,
    highWatermark: batch.highWatermark,
  };
  const owned = { topicId: one.topicId, fence: one.fence, keepAlive: batch.keepAlive };
  const commit = { store, compiled, size: context.size, signal, log, ...owned };
  await commitRecords(commit, run, (outcome) => {
    one.committed = outcome.nextOffset;
    one.position = outcome.nextOffset;
    const progress = { ...outcome, pipeline: compiled.pipeline.name, topic, partition: one.partition };
    log('DEBUG', 'Committed', { ...progress, fence: one.fence });
    onProgress({ ...progress, highWatermark: batch.highWatermark });
  });
}

function onBatchFailure(
  { log, onFailure }: OwnerContext,
  one: Held,
  error: unknown,
  { isCurrent, retake }: { readonly isCurrent: (one: Held) => boolean; readonly retake: () => void },
): void {
  if (!isCurrent(one)) {
    log('INFO', `Left partition ${partitionName(one)}: ${messageOf(error)}`);
  } else if (error instanceof FencedError) {
    log('WARNING', error.message);
    retake();
  } else {
    onFailure(error);
  }
}

/** Kafka's own offsets only advise: lag tools and autoscalers read them, we never do. */
function adviseKafka({ log }: OwnerContext, subscription: Subscription, one: Held): void {
  const { topic, partition, committed } = one;
  subscription.commitOffsets([{ topic, partition, offset: committed }]).catch((error: unknown) => {
    log('DEBUG', `Kafka did not take the offset of partition ${partitionName(one)}: ${messageOf(error)}`);
  });
}
