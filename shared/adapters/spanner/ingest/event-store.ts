import { type Clock, systemClock } from '../../../base/clock.ts';
import type { Pipeline } from '../../../model/config/declaration.ts';
import { type CompiledPipeline, tableNames } from '../../../model/events/compile-pipeline.ts';
import { type DeadLetter, deadLetterMutation } from '../../../model/events/records/dead-letter.ts';
import type { MappedRecord } from '../../../model/events/records/mapped-record.ts';
import { pipelineVersion } from '../../../model/events/records/pipeline-version.ts';
import type { PoisonFound } from '../../../model/events/records/poison-window.ts';
import { type Resolution, resolveBatch } from '../../../model/events/resolve/resolve-batch.ts';
import type { TableSchema } from '../../../model/events/tables/table-schema.ts';
import { changeSchema } from '../change-schema.ts';
import type { SpannerChannel } from '../channel.ts';
import { readSnapshot } from '../read-snapshot.ts';
import { readTableSchema } from '../read-table-schema.ts';
import { runTransaction, type TransactionReads } from '../run-transaction.ts';
import {
  type Checkpoint,
  describePartition,
  OffsetGapError,
  type PipelinePartition,
  TopicRecreatedError,
} from './checkpoint.ts';
import type { CommitWatch } from './commit-watch.ts';
import { checkpointMutation, lineageMutation } from './control-rows.ts';
import { readStored } from './read-stored.ts';
import { refuseIfFenced } from './refuse-if-fenced.ts';
import { type EventOutcome, type EventTaking, takeEvents } from './take-events.ts';

const CHECKPOINTS = 'PenstockCheckpoints';
/** A commit of 4 MiB takes well under a second. */
const DEADLINE_MS = 15_000;

/** What taking a partition needs to know of its topic. */
export interface PartitionTaking extends PipelinePartition {
  readonly topicId: string;
  /** The first offset that the log still has; where a partition seen for the first time begins. */
  readonly earliestOffset: bigint;
  /** The end of the log; a checkpoint above it belongs to another log. */
  readonly highWatermark: bigint;
}

/** A partition taken: everything that this worker writes to it carries the fence. */
export interface PartitionTaken {
  readonly fence: bigint;
  readonly nextOffset: bigint;
}

/** A run of one partition's records that is to be committed as a whole. */
export interface BatchCommit extends PipelinePartition, CommitWatch {
  readonly compiled: CompiledPipeline;
  readonly topicId: string;
  readonly fence: bigint;
  /** Every record that the log has in `[fromOffset, toOffset)` is in `mapped`, in order. */
  readonly fromOffset: bigint;
  readonly toOffset: bigint;
  readonly mapped: readonly MappedRecord[];
  readonly highWatermark: bigint;
}

/** What became of a batch. */
export interface BatchOutcome {
  readonly nextOffset: bigint;
  readonly rowCount: number;
  readonly skippedCount: number;
  readonly deadCount: number;
  /** Records below the checkpoint: written before. */
  readonly knownCount: number;
}

/** A topic: one that is made again under its name has another id. */
export interface TopicIdentity {
  readonly topic: string;
  readonly topicId: string;
}

/** The Spanner side of ingest: the transactions on which exactly-once stands. */
export interface EventStore {
  readonly database: string;
  /** @returns undefined when the database has no such table */
  readTable(table: string): Promise<TableSchema | undefined>;
  /** Runs DDL statements, and waits until they are done; @throws {SchemaChangeError} */
  changeSchema(statements: readonly string[]): Promise<void>;
  /**
   * Takes a partition: raises its fence, so that every earlier owner's commits are refused, and says where to read on.
   *
   * @throws {TopicRecreatedError} when the checkpoint belongs to another topic of this name
   * @throws {OffsetGapError} when the log no longer has the checkpoint's offset
   */
  raiseFence(taking: PartitionTaking): Promise<PartitionTaken>;
  /**
   * Commits rows, dead letters, lineage and the moved checkpoint together.
   *
   * @throws {FencedError} when another worker took the partition: nothing was written
   * @throws {ConstraintError} when Spanner refuses a row: nothing was written
   * @throws {StoreUnavailableError} when it is not known whether it was written: commit the same batch again
   */
  commit(batch: BatchCommit): Promise<BatchOutcome>;
  /**
   * Takes Pub/Sub events of one pipeline in one commit: receipts, rows and dead letters together, once an event id.
   *
   * @param watch an event that was taken before is none of the records that it sees
   * @throws {ConstraintError} when Spanner refuses a row: none of them was taken
   * @throws {StoreUnavailableError} when it is not known whether they were: take the same events again
   */
  takeEvents(takings: readonly EventTaking[], watch?: CommitWatch): Promise<readonly EventOutcome[]>;
  /** Where the partitions of a pipeline's topic stand; those of an earlier topic of this name do not count. */
  nextOffsets(pipeline: string, topic: TopicIdentity): Promise<ReadonlyMap<number, bigint>>;
  close(): Promise<void>;
}

/**
 * Makes the store of events over a channel, which it closes.
 *
 * @param options.identity who writes, for lineage and checkpoints: a service account's e-mail
 * @param options.owner which worker this is, for people to read
 * @param options.deadlineMs how long Spanner is waited for before a call counts as failed; 15,000 unless given
 * @param options.signal aborted when the worker has to leave: a commit that Spanner aborts is then left to the next one
 * @param options.now says when a receipt is over its time
 */
export function openEventStore(
  channel: SpannerChannel,
  options: {
    readonly identity: string;
    readonly owner: string;
    readonly deadlineMs?: number;
    readonly signal?: AbortSignal;
    readonly now?: Clock;
  },
): EventStore {
  const { signal } = options;
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  return {
    database: channel.database,
    readTable: (table) => readTableSchema(channel, table, deadlineMs),
    changeSchema: (statements) => changeSchema(channel, statements),
    raiseFence: (taking) =>
      runTransaction(channel, {
        attempted: `take ${describePartition(taking)}`,
        table: CHECKPOINTS,
        commit: undefined,
        deadlineMs,
        signal,
        run: async (reads) => {
          const result = nextClaim(taking, await readCheckpoint(reads, taking));
          const row = { ...taking, ...result, owner: options.owner, lastEventAtMs: undefined };
          return { mutations: [checkpointMutation(row)], result };
        },
      }),
    commit: (batch) =>
      runTransaction(channel, {
        attempted: `commit offsets ${batch.fromOffset} to ${batch.toOffset} of ${describePartition(batch)}`,
        table: tableNames(batch.compiled),
        commit: batch.compiled.pipeline.commit,
        deadlineMs,
        signal,
        onRepeat: batch.onRepeat,
        run: (reads) => writeBatch(reads, batch, options),
      }),
    takeEvents: (takings, watch) =>
      takeEvents(channel, takings, { ...watch, deadlineMs, now: options.now ?? systemClock }),
    nextOffsets: (pipeline, topic) => readNextOffsets(channel, { pipeline, ...topic, deadlineMs }),
    close: async () => channel.close(),
  };
}

function nextClaim(taking: PartitionTaking, checkpoint: Checkpoint | undefined): PartitionTaken {
  if (!checkpoint) return { fence: 1n, nextOffset: taking.earliestOffset };
  if (checkpoint.topicId !== taking.topicId) {
    throw new TopicRecreatedError(taking, checkpoint.topicId, taking.topicId);
  }
  if (checkpoint.nextOffset < taking.earliestOffset) {
    throw new OffsetGapError(taking, checkpoint.nextOffset, taking.earliestOffset);
  }
  return { fence: checkpoint.fence + 1n, nextOffset: checkpoint.nextOffset };
}

async function readCheckpoint(reads: TransactionReads, at: PipelinePartition): Promise<Checkpoint | undefined> {
  const key = [at.pipeline, at.topic, String(at.partition)];
  const [row] = await reads.read(CHECKPOINTS, [key], ['TopicId', 'NextOffset', 'Fence']);
  if (!row) return undefined;
  const [topicId, nextOffset, fence] = row;
  return { topicId: String(topicId), nextOffset: BigInt(String(nextOffset)), fence: BigInt(String(fence)) };
}

async function writeBatch(reads: TransactionReads, batch: BatchCommit, options: { identity: string; owner: string }) {
  const { compiled } = batch;
  const checkpoint = await readCheckpoint(reads, batch);
  const countsFrom = refuseIfFenced(batch, checkpoint);
  if (checkpoint && checkpoint.topicId !== batch.topicId) {
    throw new TopicRecreatedError(batch, checkpoint.topicId, batch.topicId);
  }
  if (countsFrom >= batch.toOffset) {
    const known = {
      nextOffset: countsFrom,
      rowCount: 0,
      skippedCount: 0,
      deadCount: 0,
      knownCount: batch.mapped.length,
    };
    return { mutations: [], result: known };
  }
  const fresh = freshFrom(batch.mapped, countsFrom);
  const resolution = await resolve(reads, compiled, fresh);
  const letters = deadLetters(compiled.pipeline, fresh, resolution);
  batch.admit?.({ recordCount: fresh.length, dead: poisonFound(resolution, letters) });
  const counts = {
    rowCount: resolution.rowCount,
    skippedCount: resolution.skippedAt.length,
    deadCount: letters.length,
  };
  const control = { ...batch, nextOffset: batch.toOffset, ...options, lastEventAtMs: lastEventAtMs(fresh) };
  const mutations = [
    ...resolution.mutations,
    ...(letters.length > 0 ? [deadLetterMutation(letters)] : []),
    lineageMutation({ ...control, ...counts, fromOffset: countsFrom }),
    checkpointMutation(control),
  ];
  const result = { nextOffset: batch.toOffset, ...counts, knownCount: batch.mapped.length - fresh.length };
  return { mutations, result };
}

/** Records are in the order of their offsets: only a batch that comes again has some that count no more. */
function freshFrom(mapped: readonly MappedRecord[], countsFrom: bigint): readonly MappedRecord[] {
  const [first] = mapped;
  if (first && first.record.offset >= countsFrom) return mapped;
  return mapped.filter(({ record }) => record.offset >= countsFrom);
}

async function resolve(
  reads: TransactionReads,
  compiled: CompiledPipeline,
  mapped: readonly MappedRecord[],
): Promise<Resolution> {
  return resolveBatch(compiled, mapped, await readStored(reads, compiled, mapped));
}

function deadLetters(pipeline: Pipeline, mapped: readonly MappedRecord[], { dead }: Resolution): DeadLetter[] {
  return dead.flatMap(({ at, poison, reason }): DeadLetter[] => {
    const record = mapped[at]?.record;
    if (!record) return [];
    const id = `${record.topic}/${record.partition}/${record.offset}`;
    const from = { pipeline: pipeline.name, pipelineVersion: pipelineVersion(pipeline) };
    return [{ ...from, id, source: 'kafka', eventId: undefined, record, poison, reason }];
  });
}

function poisonFound({ dead }: Resolution, letters: readonly DeadLetter[]): PoisonFound[] {
  return dead.map((one, at) => ({ ...one, id: letters[at]?.id ?? '' }));
}

function lastEventAtMs(mapped: readonly MappedRecord[]): number | undefined {
  let last: number | undefined;
  for (const { record } of mapped) {
    if (record.timestampMs !== undefined && record.timestampMs > (last ?? -Infinity)) last = record.timestampMs;
  }
  return last;
}

async function readNextOffsets(
  channel: SpannerChannel,
  { pipeline, topic, topicId, deadlineMs }: TopicIdentity & { readonly pipeline: string; readonly deadlineMs: number },
): Promise<ReadonlyMap<number, bigint>> {
  const call = { attempted: `read the checkpoints of pipeline ${pipeline}`, table: CHECKPOINTS, deadlineMs };
  const sql = `SELECT PartitionId, NextOffset FROM PenstockCheckpoints
    WHERE Pipeline = @pipeline AND Topic = @topic AND TopicId = @topicId`;
  const rows = await readSnapshot(channel, call, (query) => query(sql, { pipeline, topic, topicId }));
  return new Map(rows.map(({ PartitionId, NextOffset }) => [Number(PartitionId), BigInt(String(NextOffset))]));
}
