import type { Aggregate } from '../config/declaration.ts';
import type { Cell } from './cell.ts';
import type { Row } from './change.ts';
import { findColumn } from './column-plan.ts';
import { compareCells } from './compare-cells.ts';
import { columnReader } from './convert.ts';
import { fromNumericUnits, inInt64, toNumericUnits } from './decimal.ts';
import type { JsonValue } from './exact-json.ts';
import { PoisonError } from './poison.ts';
import { fieldAt } from './read-source.ts';
import type { ScalarCode, TableColumn, TableSchema } from './table-schema.ts';

type AggregateFunction = Aggregate['into'][number]['function'];

/** How a group's counters grow, record by record. */
export interface AggregatePlan {
  /** The aggregated columns, in the order of a record's inputs. */
  readonly columns: readonly TableColumn[];
  readonly readInputs: (document: JsonValue | undefined) => Row;
  /**
   * Adds one record's inputs to a group; inputs of null count in `count` alone, as SQL's aggregates have it.
   *
   * @param stored the group's cells; undefined for a new group
   * @throws {PoisonError} class `constraint` when a sum leaves its column's range
   */
  readonly add: (stored: readonly Cell[] | undefined, inputs: Row) => readonly Cell[];
}

interface Counter {
  readonly column: TableColumn;
  readonly code: ScalarCode;
  readonly function: AggregateFunction;
  readonly read: (document: JsonValue | undefined) => Cell | undefined;
}

/** Compiles the counters of mode `aggregate`; columns that the table lacks are reported by `checkTable`. */
export function planAggregate(aggregate: Aggregate, table: TableSchema): AggregatePlan {
  const counters = aggregate.into.flatMap((into): Counter[] => {
    const column = findColumn(table, into.column);
    if (!column?.type) return [];
    return [{ column, code: column.type.code, function: into.function, read: inputReader(column, into.field) }];
  });
  return {
    columns: counters.map(({ column }) => column),
    readInputs: (document) => counters.map(({ read }) => read(document)),
    add: (stored, inputs) => counters.map((counter, at) => addInput(counter, stored?.[at] ?? null, inputs[at])),
  };
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

function addInput(counter: Counter, stored: Cell, input: Cell | undefined): Cell {
  if (counter.function === 'count') return sum(counter, stored ?? '0', '1');
  if (input === undefined || input === null) return stored ?? (counter.column.notNull ? zero(counter) : null);
  if (stored === null) return input;
  if (counter.function === 'sum') return sum(counter, stored, input);
  const order = compareCells(counter.code, input, stored);
  return (counter.function === 'max' ? order > 0 : order < 0) ? input : stored;
}

function zero(counter: Counter): Cell {
  if (counter.function === 'sum') return counter.code === 'FLOAT64' ? 0 : '0';
  throw new PoisonError('unmappable', `Column ${counter.column.name} is NOT NULL, and the group has no value yet`);
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
    return Number.isFinite(total) ? total : String(total);
  }
  throw new PoisonError('constraint', `Column ${column.name}: ${left} + ${right} does not fit into ${column.typeText}`);
}
