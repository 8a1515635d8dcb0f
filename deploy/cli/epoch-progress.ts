import type { Database } from '@google-cloud/spanner';
import { readPart, type ShardPart, timeOf } from '../../shared/adapters/spanner/epochs/epoch-rows.ts';

/** One row as the official client gives it. */
type Row = Readonly<Record<string, unknown>>;

/** Runs a query through the official client. */
export async function query(
  database: Database,
  sql: string,
  params: Readonly<Record<string, unknown>> = {},
): Promise<Row[]> {
  const [rows] = await database.run({ sql, params: { ...params }, json: true });
  return rows.map((row): Row => ({ ...row }));
}

/** A shard as its row says. */
export interface ShardProgress extends ShardPart {
  readonly shard: number;
  readonly state: string;
  readonly rows: number;
  readonly batches: number;
  readonly startedAtMs: number | undefined;
  /** When its row was written last. */
  readonly updatedAtMs: number;
}

/** An epoch as its row says. */
export interface EpochProgress {
  readonly id: string;
  readonly state: string;
  readonly readTimestamp: string;
  readonly error: string | undefined;
  readonly shards: readonly ShardProgress[];
}

/** @returns undefined while there is no such epoch */
export async function epochProgress(database: Database, id: string): Promise<EpochProgress | undefined> {
  const epochSql =
    "SELECT State, FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E*SZ', ReadTimestamp, 'UTC') AS ReadTimestamp, Error FROM PenstockEpochs WHERE EpochId = @id";
  const [epoch] = await query(database, epochSql, { id });
  if (!epoch) return undefined;
  const shardSql =
    'SELECT ShardId, State, RowCount, BatchCount, KeyRange, StartedAt, UpdatedAt FROM PenstockShards WHERE EpochId = @id ORDER BY ShardId';
  const shards = await query(database, shardSql, { id });
  return {
    id,
    state: String(epoch.State),
    readTimestamp: String(epoch.ReadTimestamp),
    error: epoch.Error === null ? undefined : String(epoch.Error),
    shards: shards.map((row) => ({
      shard: Number(row.ShardId),
      ...readPart(row.KeyRange, Number(row.ShardId)),
      state: String(row.State),
      rows: Number(row.RowCount),
      batches: Number(row.BatchCount),
      startedAtMs: timeOf(row, 'StartedAt'),
      updatedAtMs: timeOf(row, 'UpdatedAt') ?? 0,
    })),
  };
}
