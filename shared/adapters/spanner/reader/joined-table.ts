import { PenstockError } from '../../../base/errors.ts';
import { joinedColumn, joinsOf, type PlannedJoin } from '../../../model/epochs/join.ts';
import type { ReadOptions } from '../../../model/epochs/read-options.ts';
import { type ColumnBlock, type ColumnVector, emptyVector, vectorBytes } from '../../../model/tensors/column-vector.ts';
import { concatBlocks } from '../../../model/tensors/concat-blocks.ts';
import { matchRows } from '../../../model/tensors/match-rows.ts';
import { pickRows } from '../../../model/tensors/pick-rows.ts';
import type { SpannerChannel } from '../channel.ts';
import { readRange } from './read-range.ts';

/** What a process holds of one joined table. */
const MAX_ROWS = 200_000;
const BLOCK_ROWS = 4_096;
const MAX_BYTES = 32 * 1024 * 1024;
/** Tables that a channel keeps: those of the epochs that it reads now. */
const MAX_KEPT = 8;

/** Takes the columns of joined tables for the rows of a block. */
export type JoinRows = (block: ColumnBlock) => ColumnBlock;

interface JoinedTable {
  /** Columns of the feed's table that it goes by. */
  readonly on: readonly string[];
  readonly rowsOf: ReturnType<typeof matchRows>;
  readonly columns: ReadonlyMap<string, ColumnVector>;
}

/** What a channel read of tables at a timestamp: it is the same however often it is read. */
const kept = new WeakMap<SpannerChannel, Map<string, Promise<JoinedTable>>>();

/**
 * Reads the joined tables that columns are taken of, whole, as of the timestamp of the rows that they are joined to.
 *
 * @param source.own columns of the blocks that are given, in their order
 * @param source.columns wanted of each block
 * @returns undefined where no column is a joined one
 * @throws {PenstockError} with code `JOIN_TOO_LARGE` for a table that is not small
 */
export async function openJoins(
  channel: SpannerChannel,
  source: {
    readonly own: readonly string[];
    readonly columns: readonly string[];
    readonly joins: readonly PlannedJoin[];
    readonly readTimestamp: string;
    readonly options?: ReadOptions | undefined;
  },
): Promise<JoinRows | undefined> {
  const { own, columns } = source;
  const joins = joinsOf(columns, source.joins);
  if (joins.length === 0) return undefined;
  const tables = new Map<string, JoinedTable>();
  for (const join of joins) {
    const wanted = columns.map(joinedColumn).flatMap((of) => (of?.join === join.name ? [of.column] : []));
    const { readTimestamp, options } = source;
    tables.set(join.name, await keepTable(channel, join, { wanted, readTimestamp, options }));
  }
  return (block) => joinBlock(block, own, columns, tables);
}

function joinBlock(
  block: ColumnBlock,
  own: readonly string[],
  columns: readonly string[],
  tables: ReadonlyMap<string, JoinedTable>,
): ColumnBlock {
  const ownVector = (name: string): ColumnVector => vectorOf(block.columns[own.indexOf(name)], name);
  const rows = new Map([...tables].map(([name, { on, rowsOf }]) => [name, rowsOf(on.map(ownVector), block.rowCount)]));
  const vectors = columns.map((name) => {
    const of = joinedColumn(name);
    if (of === undefined) return ownVector(name);
    return pickRows(vectorOf(tables.get(of.join)?.columns.get(of.column), name), rows.get(of.join) ?? new Int32Array());
  });
  return { rowCount: block.rowCount, columns: vectors };
}

function vectorOf(vector: ColumnVector | undefined, name: string): ColumnVector {
  if (vector === undefined) throw new RangeError(`Column ${name} was not read`);
  return vector;
}

interface TableRead {
  readonly wanted: readonly string[];
  readonly readTimestamp: string;
  readonly options?: ReadOptions | undefined;
}

function keepTable(channel: SpannerChannel, join: PlannedJoin, read: TableRead): Promise<JoinedTable> {
  const tables = kept.get(channel) ?? new Map<string, Promise<JoinedTable>>();
  kept.set(channel, tables);
  const { table, on } = join;
  const name = JSON.stringify([table, on, read.wanted.toSorted(), read.readTimestamp]);
  const known = tables.get(name);
  if (known) return known;
  // Who asks first may be told to stop, and the others still want it: it is read to its end.
  const reading = readTable(channel, join, read);
  tables.set(name, reading);
  reading.catch(() => tables.delete(name));
  const [oldest] = tables.keys();
  if (tables.size > MAX_KEPT && oldest !== undefined) tables.delete(oldest);
  return reading;
}

async function readTable(channel: SpannerChannel, join: PlannedJoin, read: TableRead): Promise<JoinedTable> {
  const { table, key, on } = join;
  const equals = on.map((pair) => pair.equals);
  const names = [...new Set([...key, ...equals, ...read.wanted])];
  const range = { from: undefined, to: undefined };
  const source = { table, columns: names, keyLength: key.length, range, blockRows: BLOCK_ROWS, ...read };
  const blocks: ColumnBlock[] = [];
  let rows = 0;
  let bytes = 0;
  for await (const block of readRange(channel, source)) {
    blocks.push(block);
    rows += block.rowCount;
    bytes += block.columns.reduce((sum, vector) => sum + vectorBytes(vector), 0);
    if (rows > MAX_ROWS) throw tooLarge(join, `more than ${MAX_ROWS} rows`);
    if (bytes > MAX_BYTES) throw tooLarge(join, `more than ${MAX_BYTES} bytes in ${names.join(', ')}`);
  }
  const whole = blocks.length === 0 ? undefined : concatBlocks(blocks);
  const vectorAt = (name: string): ColumnVector =>
    whole?.columns[names.indexOf(name)] ?? emptyVector(join.types[name] ?? '');
  return {
    on: on.map(({ column }) => column),
    rowsOf: matchRows(equals.map(vectorAt), rows),
    columns: new Map(read.wanted.map((name) => [name, vectorAt(name)])),
  };
}

function tooLarge({ name, table }: PlannedJoin, what: string): PenstockError {
  return new PenstockError(`Table ${table}, joined as ${name}, has ${what}`, {
    code: 'JOIN_TOO_LARGE',
    remedy: 'A joined table is held in memory: use fewer columns of it, or write the columns into the feed’s own table',
    retryable: false,
  });
}
