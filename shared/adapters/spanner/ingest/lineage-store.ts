import type { SpannerChannel } from '../channel.ts';
import { type Query, type QueryRow, readSnapshot } from '../read-snapshot.ts';
import type { PipelinePartition } from './checkpoint.ts';

const TABLE = 'PenstockLineage';
const DEADLINE_MS = 60_000;
const COLUMNS =
  'Pipeline, Topic, PartitionId, FromOffset, ToOffset, RowCount, SkippedCount, DeadCount, Fence, Identity, CommittedAt';
const PARTITION = 'Pipeline = @pipeline AND Topic = @topic AND PartitionId = @partition';
const MAX_ROWS = 1_000;

/** One commit of one partition: the offsets `[fromOffset, toOffset)` and what became of them. */
export interface LineageCommit extends PipelinePartition {
  readonly fromOffset: string;
  readonly toOffset: string;
  readonly rowCount: number;
  readonly skippedCount: number;
  readonly deadCount: number;
  readonly fence: string;
  readonly identity: string;
  /** RFC 3339. */
  readonly committedAt: string;
}

/** What one commit timestamp of a pipeline was made by. */
export interface CommitOrigin {
  readonly commits: readonly LineageCommit[];
  /** Pub/Sub events that were taken then; at most 1,000. */
  readonly eventIds: readonly string[];
  /** Dead letters that were redriven then; at most 1,000. */
  readonly deadLetters: readonly { readonly id: string; readonly redrivenBy: string | undefined }[];
}

/** The commit that took an offset; undefined for one that was never committed, or whose lineage is gone. */
export async function findCommitOf(
  channel: SpannerChannel,
  { pipeline, topic, partition, offset }: PipelinePartition & { readonly offset: bigint },
): Promise<LineageCommit | undefined> {
  const row = await snapshot(channel, `find the commit of offset ${offset}`, (query) =>
    lastFrom(query, { pipeline, topic, partition }, offset),
  );
  return row && BigInt(String(row.ToOffset)) > offset ? commitOf(row) : undefined;
}

/**
 * What made the rows of a pipeline that carry this commit timestamp.
 *
 * The commits of a partition are in the order of their offsets: the one wanted is found by halving, in some 30 reads a
 * partition. That misses rows that an accepted recreation of the topic has left; `scan` reads all lineage of the pipeline.
 *
 * @param at RFC 3339
 */
export function findCommitsAt(
  channel: SpannerChannel,
  pipeline: string,
  { at, scan }: { readonly at: string; readonly scan: boolean },
): Promise<CommitOrigin> {
  return snapshot(channel, `find what pipeline ${pipeline} committed at ${at}`, async (query) => {
    const rows = scan ? await scanLineage(query, pipeline, at) : await searchLineage(query, pipeline, at);
    const receipts = await query(
      `SELECT EventId FROM PenstockReceipts WHERE Pipeline = @pipeline AND ReceivedAt = TIMESTAMP(@at) LIMIT ${MAX_ROWS}`,
      { pipeline, at },
    );
    const letters = await query(
      `SELECT DeadLetterId, RedrivenBy FROM PenstockDeadLetters
        WHERE Pipeline = @pipeline AND Part = 0 AND RedrivenAt = TIMESTAMP(@at) LIMIT ${MAX_ROWS}`,
      { pipeline, at },
    );
    return {
      commits: rows.map(commitOf),
      eventIds: receipts.map(({ EventId }) => String(EventId)),
      deadLetters: letters.map(({ DeadLetterId, RedrivenBy }) => ({
        id: String(DeadLetterId),
        redrivenBy: RedrivenBy === null ? undefined : String(RedrivenBy),
      })),
    };
  });
}

function snapshot<T>(channel: SpannerChannel, attempted: string, run: (query: Query) => Promise<T>): Promise<T> {
  return readSnapshot(channel, { attempted, table: TABLE, deadlineMs: DEADLINE_MS }, run);
}

function scanLineage(query: Query, pipeline: string, at: string): Promise<QueryRow[]> {
  const sql = `SELECT ${COLUMNS} FROM ${TABLE} WHERE Pipeline = @pipeline AND CommittedAt = TIMESTAMP(@at)`;
  return query(sql, { pipeline, at });
}

async function searchLineage(query: Query, pipeline: string, at: string): Promise<QueryRow[]> {
  const partitions = await query(
    'SELECT Topic, PartitionId, NextOffset FROM PenstockCheckpoints WHERE Pipeline = @pipeline',
    { pipeline },
  );
  const found: QueryRow[] = [];
  for (const { Topic, PartitionId, NextOffset } of partitions) {
    const place = { pipeline, topic: String(Topic), partition: Number(PartitionId) };
    const row = await searchPartition(query, place, { end: BigInt(String(NextOffset)), at });
    if (row) found.push(row);
  }
  return found;
}

/** The last commit that is no later, if it is of this very time. */
async function searchPartition(
  query: Query,
  place: PipelinePartition,
  { end, at }: { readonly end: bigint; readonly at: string },
): Promise<QueryRow | undefined> {
  let low = 0n;
  let high = end;
  let last: QueryRow | undefined;
  while (low < high) {
    const middle = (low + high) / 2n;
    const row = await lastFrom(query, place, middle, at);
    if (!row) low = middle + 1n;
    else if (row.IsNoLater === true) {
      last = row;
      low = max(BigInt(String(row.ToOffset)), middle + 1n);
    } else high = BigInt(String(row.FromOffset));
  }
  return last?.IsSame === true ? last : undefined;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** The commit with the highest first offset that is not above this one; compared with a time where one is given. */
async function lastFrom(
  query: Query,
  { pipeline, topic, partition }: PipelinePartition,
  offset: bigint,
  at?: string,
): Promise<QueryRow | undefined> {
  const compared =
    at === undefined ? '' : ', CommittedAt <= TIMESTAMP(@at) AS IsNoLater, CommittedAt = TIMESTAMP(@at) AS IsSame';
  const sql = `SELECT ${COLUMNS}${compared} FROM ${TABLE}
    WHERE ${PARTITION} AND FromOffset <= CAST(@offset AS INT64) ORDER BY FromOffset DESC LIMIT 1`;
  const time = at === undefined ? {} : { at };
  const [row] = await query(sql, { pipeline, topic, partition, offset: String(offset), ...time });
  return row;
}

function commitOf(row: QueryRow): LineageCommit {
  return {
    pipeline: String(row.Pipeline),
    topic: String(row.Topic),
    partition: Number(row.PartitionId),
    fromOffset: String(row.FromOffset),
    toOffset: String(row.ToOffset),
    rowCount: Number(row.RowCount),
    skippedCount: Number(row.SkippedCount),
    deadCount: Number(row.DeadCount),
    fence: String(row.Fence),
    identity: String(row.Identity),
    committedAt: String(row.CommittedAt),
  };
}
