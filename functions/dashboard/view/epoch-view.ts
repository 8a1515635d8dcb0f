import type { EpochRow, ShardRow } from '../../../shared/adapters/spanner/overview-store.ts';
import { hidesFailures } from '../../../shared/model/access/mask-epoch.ts';
import { masked } from '../../../shared/model/access/mask-record.ts';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import { leftMsOf, plannedRowsOf } from '../../../shared/model/epochs/choose-laggard.ts';
import type { EpochSummary, EpochView, Health, ReadingShard, ShardState } from './view-model.ts';
import { showHidden } from './words.ts';

const MAX_FAILURES = 20;
const MAX_READING = 20;
const shardStates: readonly ShardState[] = ['waiting', 'reading', 'done', 'failed'];
const healthOf: Readonly<Record<string, Health>> = { planned: 'ok', reading: 'ok', delivered: 'ok', failed: 'bad' };

/** An epoch as one line; why it failed is masked where that may quote a sensitive column. */
export function summarizeEpoch(row: EpochRow, declaration: Declaration): EpochSummary {
  return {
    id: row.id,
    feed: row.feed,
    state: row.state,
    health: healthOf[row.state] ?? 'unknown',
    readTimestamp: row.readTimestamp,
    plannedAtMs: row.plannedAtMs,
    deliveredAtMs: row.deliveredAtMs ?? null,
    plannedBy: row.plannedBy,
    planDigest: row.planDigest,
    shardCount: row.shardCount,
    rowCount: row.rowCount ?? null,
    batchCount: row.batchCount ?? null,
    error: row.error === undefined ? null : reason(row.error, hidesFailures(declaration, row.feed)),
  };
}

/** An epoch with its shards, its progress and the offsets that it contains. */
export function viewEpoch(
  row: EpochRow,
  shards: readonly ShardRow[],
  { declaration, nowMs }: { readonly declaration: Declaration; readonly nowMs: number },
): EpochView {
  const states = shards.map(({ state }) => stateOf(state));
  const counts = countStates(states);
  const rowsDelivered = shards.reduce((sum, { rowCount }) => sum + rowCount, 0);
  const total = Math.max(row.shardCount, shards.length);
  const share = total === 0 ? (row.state === 'delivered' ? 1 : 0) : counts.done / total;
  const elapsedMs = (row.deliveredAtMs ?? lastChangeMs(row, shards, nowMs)) - row.plannedAtMs;
  const isHidden = hidesFailures(declaration, row.feed);
  const isRunning = row.state === 'planned' || row.state === 'reading';
  return {
    ...summarizeEpoch(row, declaration),
    health: counts.failed > 0 || row.state === 'failed' ? 'bad' : (healthOf[row.state] ?? 'unknown'),
    shards: counts,
    shardStates: states,
    share,
    rowsDelivered,
    batchesDelivered: shards.reduce((sum, { batchCount }) => sum + batchCount, 0),
    rowsPerSecond: rowsDelivered > 0 && elapsedMs > 0 ? (rowsDelivered * 1_000) / elapsedMs : null,
    remainingMs: isRunning && share > 0 && share < 1 ? (elapsedMs * (1 - share)) / share : null,
    reading: readingShards(row, shards),
    failures: shards
      .filter(({ state }) => state === 'failed')
      .slice(0, MAX_FAILURES)
      .map(({ shard, error }) => ({ shard, error: reason(error ?? 'No reason was recorded', isHidden) })),
    contains: readContents(row.outline),
  };
}

function reason(text: string, isHidden: boolean): string {
  return isHidden ? masked : showHidden(text);
}

function readingShards(row: EpochRow, shards: readonly ShardRow[]): ReadingShard[] {
  const planned = isRecord(row.outline) && typeof row.outline.rowCount === 'number' ? row.outline.rowCount : 0;
  const rowsPerShard = planned / Math.max(1, row.shardCount);
  return shards
    .filter(({ state }) => state === 'reading')
    .map((shard) => readingShard(shard, plannedRowsOf(shard, rowsPerShard)))
    .toSorted((one, other) => other.leftMs - one.leftMs)
    .slice(0, MAX_READING);
}

/** As `penstock epoch show` has it: by the time of the last position that was saved, so that a silent reader does not seem slow. */
function readingShard(shard: ShardRow, plannedRows: number): ReadingShard {
  const { rowCount: rows, startedAtMs, updatedAtMs } = shard;
  const elapsedMs = Math.max(1, updatedAtMs - (startedAtMs ?? updatedAtMs));
  return {
    shard: shard.shard,
    rows,
    batches: shard.batchCount,
    rowsPerSecond: (rows * 1_000) / elapsedMs,
    leftMs: leftMsOf({ rows, plannedRows, startedAtMs }, { nowMs: updatedAtMs }),
    share: Math.min(0.99, rows / Math.max(1, plannedRows)),
  };
}

function stateOf(state: string): ShardState {
  return shardStates.find((known) => known === state) ?? 'waiting';
}

function countStates(states: readonly ShardState[]): Record<ShardState, number> {
  const counts = { waiting: 0, reading: 0, done: 0, failed: 0 };
  for (const state of states) counts[state] += 1;
  return counts;
}

/** A running epoch's clock runs on; a failed one's stopped with its last shard. */
function lastChangeMs(row: EpochRow, shards: readonly ShardRow[], nowMs: number): number {
  if (row.state !== 'failed') return nowMs;
  return shards.reduce((latest, { updatedAtMs }) => Math.max(latest, updatedAtMs), row.plannedAtMs);
}

/** The checkpoints of the epoch, as far as they can be read: it is JSON that another version may have written. */
function readContents(outline: unknown): EpochView['contains'] {
  const listed = isRecord(outline) ? outline.checkpoints : undefined;
  if (!Array.isArray(listed)) return [];
  return listed.filter(isRecord).map(({ pipeline, topic, partition, nextOffset }) => ({
    pipeline: String(pipeline),
    topic: String(topic),
    partition: Number(partition),
    nextOffset: String(nextOffset),
  }));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
