import type { Pipeline, Target } from '../../config/declaration.ts';
import { orderedCodes } from '../values/compare-cells.ts';
import { findColumn } from './column-plan.ts';
import type { FitProblem } from './table-fit.ts';
import type { TableSchema } from './table-schema.ts';

/** Whether a guard can guard its table. */
export function checkGuard({ guard, mode }: Target, table: TableSchema): FitProblem[] {
  if (guard === undefined) return [];
  const column = findColumn(table, guard);
  if (!column) return [['guard', `table ${table.name} has no column ${guard}`, 'Name a column of the table']];
  if (mode === 'aggregate') {
    return [['guard', 'mode aggregate counts every record', 'Remove the guard, or use `last` with a version']];
  }
  if (column.generated) return [['guard', `column ${guard} is generated`, 'Name a column that the records carry']];
  if (column.type && !column.type.array && orderedCodes.has(column.type.code)) return [];
  return [['guard', `${column.typeText} has no order`, 'Guard by a number, a text, a date or a timestamp']];
}

/** In what routes into one table get into each other's way; told at the later one. */
export function checkSharing(
  { targets }: Pipeline,
  target: Target,
  tables: ReadonlyMap<string, TableSchema>,
): FitProblem[] {
  const tableOf = (one: Target): string | undefined => tables.get(one.table)?.name;
  const earlier = targets.slice(0, targets.indexOf(target)).filter((one) => tableOf(one) === tableOf(target));
  return earlier.flatMap((other) => [...shareGuard(other, target), ...shareCounters(other, target)]);
}

/** A guard that another route passes by would guard nothing; deletions without a version are the exception. */
function shareGuard(other: Target, target: Target): FitProblem[] {
  const same = other.guard?.toLowerCase() === target.guard?.toLowerCase();
  const isOpenDeletion = (one: Target): boolean => one.mode === 'delete' && one.guard === undefined;
  if (same || isOpenDeletion(other) || isOpenDeletion(target)) return [];
  const message = `table ${target.table} is guarded by ${target.guard ?? 'nothing'} here and by ${other.guard ?? 'nothing'} in another route`;
  return [['guard', message, 'Give all routes into one table the same guard']];
}

function shareCounters(other: Target, target: Target): FitProblem[] {
  if (!other.aggregate && !target.aggregate) return [];
  if (!other.aggregate || !target.aggregate) {
    if (other.mode === 'delete' || target.mode === 'delete') return [];
    const message = `table ${target.table} holds an aggregate in one route and rows in another`;
    return [['table', message, 'Use one table for each']];
  }
  const counters = other.aggregate.into;
  return target.aggregate.into.flatMap((into): FitProblem[] => {
    const same = counters.find(({ column }) => column.toLowerCase() === into.column.toLowerCase());
    if (!same || (same.function === into.function && same.by?.column === into.by?.column)) return [];
    const message = `column ${into.column} is a ${into.function} here and a ${same.function} in another route`;
    return [[`aggregates.${into.column}`, message, 'Use the same function, or another column']];
  });
}
