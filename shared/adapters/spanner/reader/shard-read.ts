import type { Key } from '../../../model/epochs/key.ts';
import { blockRows, type Manifest, type Plan, shardRanges } from '../../../model/epochs/manifest.ts';
import type { QuerySource } from '../../../model/epochs/range-query.ts';
import type { RowsRead } from './read-rows.ts';

/**
 * The read of a planned shard's rows, or of those behind a key, in its blocks.
 *
 * @throws {RangeError} when the epoch has no such shard
 */
export function shardRead(
  { epoch, plan, readTimestamp, read, pieces = [] }: Manifest,
  wanted: {
    readonly shard: number;
    readonly columns: readonly string[];
    readonly afterKey: Key | undefined;
    readonly signal: AbortSignal;
  },
): RowsRead {
  const range = shardRanges(plan)[wanted.shard];
  if (range === undefined) throw new RangeError(`There is no shard ${wanted.shard} of ${epoch}`);
  return {
    table: plan.table,
    columns: wanted.columns,
    keyLength: plan.key.length,
    range,
    afterKey: wanted.afterKey,
    readTimestamp,
    blockRows: blockRows(plan),
    signal: wanted.signal,
    query: queryOf(plan),
    options: read,
    joins: plan.join ?? [],
    boost: read?.dataBoost ? { key: plan.key, cuts: pieces } : undefined,
  };
}

/** What the rows of a plan are asked for with; undefined where the table is read as it is. */
export function queryOf({ where, sql, key }: Pick<Plan, 'where' | 'sql' | 'key'>): QuerySource | undefined {
  return where === undefined && sql === undefined ? undefined : { where, sql, key };
}
