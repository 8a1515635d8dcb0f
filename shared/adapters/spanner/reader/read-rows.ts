import { growingKeys } from '../../../model/epochs/growing-keys.ts';
import { ownColumns, type PlannedJoin } from '../../../model/epochs/join.ts';
import type { ColumnBlock } from '../../../model/tensors/column-vector.ts';
import type { SpannerChannel } from '../channel.ts';
import { openJoins } from './joined-table.ts';
import type { RangeRead } from './range-read.ts';
import { type BoostedPieces, readBoosted } from './read-boosted.ts';
import { readRange } from './read-range.ts';

/** Rows of a key range of a feed's table. */
export interface RowsRead extends RangeRead {
  /** Of the tables that a column `NAME.COLUMN` may be taken of. */
  readonly joins: readonly PlannedJoin[];
  /** Reads on Data Boost, in these pieces. */
  readonly boost?: BoostedPieces | undefined;
}

/**
 * Reads a key range as `readRange` does, joined columns with it: blocks of the columns asked for, in their order.
 *
 * A joined table is read before the first block, whole, at the same timestamp. That the keys of a query's rows grow is checked: no
 * table says so.
 */
export async function* readRows(channel: SpannerChannel, read: RowsRead): AsyncGenerator<ColumnBlock, void, undefined> {
  const own = ownColumns(read.columns, read.joins);
  const join = await openJoins(channel, { ...read, own });
  const { query, afterKey: after } = read;
  const check = query?.sql === undefined ? undefined : growingKeys({ name: 'the query', key: query.key, after });
  const wanted = { ...read, columns: own };
  const blocks = read.boost ? readBoosted(channel, wanted, read.boost) : readRange(channel, wanted);
  for await (const block of blocks) {
    check?.(block);
    yield join ? join(block) : block;
  }
}
