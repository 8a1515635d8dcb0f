import { compareKeys, type Key, type KeyColumn } from '../../../../shared/model/epochs/key.ts';
import { type Probe, type ProbeAnswer, probeRows } from '../../../../shared/model/epochs/key-prober.ts';

/** A table of which there is nothing but its keys, in order, made as they are asked for. */
export interface VirtualTable {
  readonly columns: readonly KeyColumn[];
  readonly count: number;
  readonly at: (row: number) => Key;
}

export function tableOf(columns: readonly KeyColumn[], keys: readonly Key[]): VirtualTable {
  const sorted = keys.toSorted((one, other) => compareKeys(columns, one, other));
  const unique = sorted.filter((key, at) => at === 0 || compareKeys(columns, sorted[at - 1] ?? key, key) !== 0);
  return { columns, count: unique.length, at: (row) => unique[row] ?? [] };
}

/** Rows before a place: a key, or the beginning of keys; with `isBehind` those that begin so are before it. */
export function rowsBefore({ columns, count, at }: VirtualTable, place: Key, isBehind = false): number {
  const parts = columns.slice(0, place.length);
  let from = 0;
  let to = count;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const order = compareKeys(parts, at(middle).slice(0, place.length), place);
    if (order < 0 || (isBehind && order === 0)) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Answers as Spanner would. */
export function answer(table: VirtualTable, probe: Probe): ProbeAnswer {
  const keysFrom = (row: number): Key[] =>
    Array.from({ length: Math.min(probeRows, table.count - row) }, (_, at) => table.at(row + at));
  if (probe.kind === 'from') return { keys: keysFrom(rowsBefore(table, probe.from)) };
  const behind = rowsBefore(table, probe.prefix, true);
  return { keys: keysFrom(behind), last: table.at(behind - 1) };
}
