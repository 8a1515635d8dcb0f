import type { Aggregate } from '../../config/declaration.ts';
import type { DecodedRecord } from '../../formats/record-decoder.ts';
import { PoisonError } from '../records/poison.ts';
import { fieldAt } from '../records/read-source.ts';
import { findColumn } from '../tables/column-plan.ts';
import type { ScalarCode, TableColumn, TableSchema } from '../tables/table-schema.ts';
import type { Cell } from '../values/cell.ts';
import { compareCells } from '../values/compare-cells.ts';
import { columnReader } from '../values/convert.ts';
import { fromNumericUnits, inInt64, toNumericUnits } from '../values/decimal.ts';
import type { Row } from './change.ts';

type Document = DecodedRecord['document'];
type Into = Aggregate['into'][number];

/** How a group's counters grow, record by record. */
export interface AggregatePlan {
  /** The counters, then the columns of versions that `first` and `last` keep; a record's inputs stand in the same order. */
  readonly columns: readonly TableColumn[];
  readonly readInputs: (document: Document) => Row;
  /** What a group begins with before its first input; undefined leaves the column out. */
  readonly empty: Row;
  /**
   * Adds one record's inputs to a group.
   *
   * Nulls count as in SQL: `sum`, `min` and `max` pass over them, `count` counts records, `first` and `last` take a null
   * value as a value and pass over null versions. NaN makes a sum, minimum or maximum NaN. Of equal versions the earlier
   * record stands.
   *
   * @param stored the group's cells; undefined for a new group
   * @throws {PoisonError} class `constraint` when a sum leaves its column's range
   */
  readonly add: (stored: Row | undefined, inputs: Row) => readonly Cell[];
}

interface Counter {
  readonly column: TableColumn;
  readonly code: ScalarCode;
  readonly function: Into['function'];
  readonly read: (document: Document) => Cell | undefined;
  /** Where its version stands among the plan's columns; -1 but for `first` and `last`. */
  readonly versionAt: number;
}

interface Version {
  readonly column: TableColumn;
  readonly code: ScalarCode;
  readonly function: 'first' | 'last';
  readonly read: (document: Document) => Cell | undefined;
}

/** Compiles the counters of mode `aggregate`; columns that the table lacks are reported by `checkPipeline`. */
export function planAggregate({ into }: Aggregate, table: TableSchema): AggregatePlan {
  const known = into.filter(({ column, by }) => typed(table, column) && (!by || typed(table, by.column)));
  const versions = versionsOf(known, table);
  const counters = known.flatMap((one): Counter[] => {
    const column = typed(table, one.column);
    if (!column) return [];
    const { by } = one;
    const at = by ? versions.findIndex((version) => version.column === findColumn(table, by.column)) : -1;
    const versionAt = at < 0 ? -1 : known.length + at;
    return [{ column, code: column.code, function: one.function, read: inputReader(column, one.field), versionAt }];
  });
  return {
    columns: [...counters, ...versions].map(({ column }) => column),
    readInputs: (document) => [...counters, ...versions].map(({ read }) => read(document)),
    empty: [...counters.map(emptyCounter), ...versions.map(() => undefined)],
    add: (stored, inputs) => addInputs({ counters, versions }, stored, inputs),
  };
}

type TypedColumn = TableColumn & { readonly code: ScalarCode };

function typed(table: TableSchema, name: string): TypedColumn | undefined {
  const column = findColumn(table, name);
  return column?.type && { ...column, code: column.type.code };
}

/** Each column of versions once: several functions of the same version share it. */
function versionsOf(known: Aggregate['into'], table: TableSchema): Version[] {
  const versions = new Map<string, Version>();
  for (const { by, function: kind } of known) {
    if (!by || (kind !== 'first' && kind !== 'last')) continue;
    const column = findColumn(table, by.column);
    if (!column?.type) continue;
    versions.set(column.name, { column, code: column.type.code, function: kind, read: inputReader(column, by.field) });
  }
  return [...versions.values()];
}

function inputReader(column: TableColumn, field: string | undefined): Counter['read'] {
  if (field === undefined) return () => undefined;
  const at = fieldAt(field);
  const reader = columnReader(column, { format: undefined, zone: undefined });
  return (document) => {
    const value = document === undefined ? undefined : at(document);
    if (value === undefined) throw new PoisonError('unmappable', `The record has no field ${field}`);
    return reader.fromJson(value);
  };
}

function emptyCounter({ column, code, function: kind }: Counter): Cell | undefined {
  if (kind === 'count') return '0';
  return kind === 'sum' && column.notNull ? zero(code) : undefined;
}

function zero(code: ScalarCode): Cell {
  return code === 'FLOAT64' ? 0 : '0';
}

function addInputs(
  { counters, versions }: { readonly counters: readonly Counter[]; readonly versions: readonly Version[] },
  stored: Row | undefined,
  inputs: Row,
): readonly Cell[] {
  const wins = versions.map((version, at) => {
    const place = counters.length + at;
    return isNewVersion(version, stored?.[place], inputs[place]);
  });
  const cells = counters.map((counter, at): Cell => {
    const held = stored?.[at] ?? null;
    if (counter.versionAt < 0) return addInput(counter, held, inputs[at]);
    return wins[counter.versionAt - counters.length] ? versioned(counter, inputs[at]) : held;
  });
  const kept = versions.map((_, at): Cell => {
    const place = counters.length + at;
    return (wins[at] ? inputs[place] : stored?.[place]) ?? null;
  });
  refuseNulls([...counters, ...versions], [...cells, ...kept]);
  return [...cells, ...kept];
}

function isNewVersion(version: Version, held: Cell | undefined, input: Cell | undefined): boolean {
  if (input === null || input === undefined) return false;
  if (held === null || held === undefined) return true;
  const order = compareCells(version.code, input, held);
  return version.function === 'last' ? order > 0 : order < 0;
}

function versioned({ column }: Counter, input: Cell | undefined): Cell {
  if (input !== null && input !== undefined) return input;
  if (!column.notNull) return null;
  throw new PoisonError('unmappable', `Column ${column.name} is NOT NULL, and its value is null`);
}

function refuseNulls(parts: readonly { readonly column: TableColumn }[], cells: readonly Cell[]): void {
  for (const [at, { column }] of parts.entries()) {
    if (!column.notNull || cells[at] !== null) continue;
    throw new PoisonError('unmappable', `Column ${column.name} is NOT NULL, and the group has no value yet`);
  }
}

function addInput(counter: Counter, stored: Cell, input: Cell | undefined): Cell {
  const { code, column } = counter;
  if (counter.function === 'count') return sum(counter, stored ?? '0', '1');
  if (input === undefined || input === null) {
    return stored ?? (column.notNull && counter.function === 'sum' ? zero(code) : null);
  }
  if (stored === null) return counter.function === 'sum' ? sum(counter, zero(code), input) : input;
  if (counter.function === 'sum') return sum(counter, stored, input);
  if (isNaNCell(code, stored) || isNaNCell(code, input)) return 'NaN';
  const order = compareCells(code, input, stored);
  return (counter.function === 'max' ? order > 0 : order < 0) ? input : stored;
}

function isNaNCell(code: ScalarCode, cell: Cell): boolean {
  return (code === 'FLOAT64' || code === 'FLOAT32') && Number.isNaN(Number(cell));
}

function sum({ column, code }: Counter, left: Cell, right: Cell): Cell {
  if (code === 'INT64') {
    const total = BigInt(String(left)) + BigInt(String(right));
    if (inInt64(total)) return String(total);
  } else if (code === 'NUMERIC') {
    const total = fromNumericUnits(toNumericUnits(String(left)) + toNumericUnits(String(right)));
    if (total !== undefined) return total;
  } else {
    const total = Number(left) + Number(right);
    if (Number.isFinite(total)) return total;
    // An infinity or NaN that came in stays; one that only the sum makes is an overflow.
    if (!Number.isFinite(Number(left)) || !Number.isFinite(Number(right))) return String(total);
  }
  throw new PoisonError('constraint', `Column ${column.name}: ${left} + ${right} does not fit into ${column.typeText}`);
}
