import type { Aggregate } from '../../config/declaration.ts';
import { orderedCodes } from '../values/compare-cells.ts';
import { findColumn, isKey } from './column-plan.ts';
import type { FitProblem, TableFit } from './table-fit.ts';
import type { TableColumn, TableSchema } from './table-schema.ts';

const SUMMED = new Set(['INT64', 'FLOAT64', 'NUMERIC']);

type Into = Aggregate['into'][number];

/** In what an aggregate and its table do not fit together. */
export function checkAggregate({ pipeline, target, table }: TableFit): FitProblem[] {
  const { aggregate } = target;
  if (!aggregate) return [];
  const grouped = aggregate.groupBy.flatMap((source): FitProblem[] => {
    const column = findColumn(table, source.column);
    if (!column || isKey(table, column)) return [];
    return [
      [`groupBy.${source.column}`, `${column.name} is no key of ${table.name}`, 'Group by the table’s key columns'],
    ];
  });
  const fields = aggregate.into.some(({ field }) => field !== undefined) && pipeline.format.kind === 'bytes';
  const noFields: FitProblem[] = fields
    ? [['format', 'format bytes has no fields to aggregate', 'Use format: json']]
    : [];
  return [
    ...grouped,
    ...aggregate.into.flatMap((into) => [...checkCounter(into, table), ...checkVersion(into, aggregate, table)]),
    ...noFields,
  ];
}

function checkCounter(into: Into, table: TableSchema): FitProblem[] {
  const place = `aggregates.${into.column}`;
  const column = findColumn(table, into.column);
  if (!column) return [[place, `table ${table.name} has no column ${into.column}`, 'Add the column to the table']];
  const unwritten = checkWritten(place, column, table);
  if (unwritten) return [unwritten];
  if (holds(into.function, column)) return [];
  return [[place, `${column.typeText} cannot hold a ${into.function}`, 'Change the column’s type']];
}

function checkWritten(place: string, column: TableColumn, table: TableSchema): FitProblem | undefined {
  if (column.generated) return [place, `column ${column.name} is generated`, 'Use a column that can be written'];
  if (isKey(table, column)) return [place, `column ${column.name} is a key of ${table.name}`, 'Use another column'];
  return undefined;
}

function holds(kind: Into['function'], { type }: TableColumn): boolean {
  if (!type) return false;
  if (kind === 'first' || kind === 'last') return true;
  if (type.array) return false;
  if (kind === 'count') return type.code === 'INT64';
  return kind === 'sum' ? SUMMED.has(type.code) : orderedCodes.has(type.code);
}

/** The column in which `first` and `last` keep the version of what they hold. */
function checkVersion({ column, by, function: kind }: Into, { into }: Aggregate, table: TableSchema): FitProblem[] {
  if (!by) return [];
  const place = `aggregates.${column}.version`;
  const found = findColumn(table, by.column);
  if (!found) return [[place, `table ${table.name} has no column ${by.column}`, 'Add the column to the table']];
  const unwritten = checkWritten(place, found, table);
  if (unwritten) return [unwritten];
  if (!found.type || found.type.array || !orderedCodes.has(found.type.code)) {
    return [[place, `${found.typeText} has no order`, 'Use a number, a text, a date or a timestamp']];
  }
  const same = (name: string): boolean => name.toLowerCase() === by.column.toLowerCase();
  if (into.some((other) => same(other.column))) {
    return [[place, `column ${by.column} holds an aggregate itself`, 'Keep the version in a column of its own']];
  }
  const sharing = into.filter((other) => other.by && same(other.by.column));
  if (sharing.every((other) => other.function === kind && other.by?.field === by.field)) return [];
  const message = `column ${by.column} keeps versions of different fields or functions`;
  return [[place, message, 'Give each its own column, or use the same field and function']];
}
