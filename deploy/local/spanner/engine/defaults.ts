import { randomUUID } from 'node:crypto';
import { columnOf, type Stores, type TableStore } from '../storage/stores.ts';
import type { Cell, SpannerType } from '../values.ts';
import type { WireMutation } from './wire-mutation.ts';

/** The DEFAULT of a column for one new row. */
export type DefaultSource = (store: TableStore, place: number, timestamp: number) => Cell;

/** The defaults of one commit, however often it tries. */
export interface CommitDefaults {
  readonly draw: DefaultSource;
  /** Begins anew: the same values are drawn again, so that what depends on them does not change. */
  rewind(): void;
}

/** Evaluates the text of a `DEFAULT (…)`. */
export type Evaluate = (sql: string, type: SpannerType) => Promise<Cell>;

const COMMIT_TIMESTAMP = /pending_commit_timestamp/i;
const NANOS_PER_MICRO = 1000n;

/**
 * Evaluates every default that mutations may need, so that the commit itself never waits.
 *
 * Literals and the common functions are known here; anything else goes to the SQL evaluator, once for each new row.
 */
export async function prepareDefaults(
  stores: Stores,
  mutations: readonly WireMutation[],
  evaluate: Evaluate,
): Promise<CommitDefaults> {
  const prepared = new Map<string, Cell[]>();
  for (const mutation of mutations) {
    const write = mutation.insert ?? mutation.insertOrUpdate ?? mutation.replace;
    const store = write && stores.tables.get((write.table ?? '').toLowerCase());
    if (!store) continue;
    const given = new Set((write.columns ?? []).map((name) => name.toLowerCase()));
    for (const column of store.table.columns) {
      const sql = column.defaultExpression;
      if (sql === undefined || given.has(column.name.toLowerCase()) || simpleDefault(sql, column.type)) continue;
      const cells = cellsFor(prepared, store, column.name);
      for (let row = 0; row < (write.values?.length ?? 0); row++) cells.push(await evaluate(sql, column.type));
    }
  }
  return rewindable(prepared);
}

function rewindable(drawn: Map<string, Cell[]>): CommitDefaults {
  const drawnCount = new Map<Cell[], number>();
  return {
    draw(store, place, timestamp) {
      const column = columnOf(store, place);
      const sql = column.defaultExpression ?? 'NULL';
      const simple = simpleDefault(sql, column.type);
      if (simple && COMMIT_TIMESTAMP.test(sql)) return simple(timestamp);
      const cells = cellsFor(drawn, store, column.name);
      const at = drawnCount.get(cells) ?? 0;
      drawnCount.set(cells, at + 1);
      if (at >= cells.length) cells.push(simple ? simple(timestamp) : null);
      return cells[at] ?? null;
    },
    rewind: () => drawnCount.clear(),
  };
}

/** The defaults that need no SQL evaluator. */
export function simpleDefault(sql: string, type: SpannerType): ((timestamp: number) => Cell) | undefined {
  const text = sql.trim();
  if (/^null$/i.test(text)) return () => null;
  if (type.code === 'BOOL' && /^(true|false)$/i.test(text)) return () => text.toLowerCase() === 'true';
  if (type.code === 'INT64' && /^-?\d{1,18}$/.test(text)) return () => BigInt(text);
  if (type.code === 'FLOAT64' && /^-?\d{1,15}(\.\d{1,15})?$/.test(text)) return () => Number(text);
  if (type.code === 'STRING' && /^('[^'\\\n]*'|"[^"\\\n]*")$/.test(text)) return () => text.slice(1, -1);
  if (/^generate_uuid\s*\(\s*\)$/i.test(text) && type.code === 'STRING') return () => randomUUID();
  if (/^new_uuid\s*\(\s*\)$/i.test(text) && type.code === 'UUID') return () => randomUUID();
  if (/^(current_timestamp|pending_commit_timestamp)\s*\(\s*\)$/i.test(text) && type.code === 'TIMESTAMP') {
    return (timestamp) => BigInt(timestamp) * NANOS_PER_MICRO;
  }
  return undefined;
}

function cellsFor(prepared: Map<string, Cell[]>, store: TableStore, column: string): Cell[] {
  const name = `${store.table.name}.${column}`.toLowerCase();
  const cells = prepared.get(name) ?? [];
  prepared.set(name, cells);
  return cells;
}
