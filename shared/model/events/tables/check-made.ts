import type { ColumnSource } from '../../config/declaration.ts';
import { hashedCodes } from '../made-cells.ts';
import { planColumns } from './column-plan.ts';
import type { FitProblem, TableFit } from './table-fit.ts';
import type { TableColumn } from './table-schema.ts';

/** In what a column that is hashed, reversed or windowed does not fit. */
export function checkMade(fit: TableFit, place: string, column: TableColumn, source: ColumnSource): FitProblem[] {
  const { from, bitReverse, windowMs } = source;
  const code = column.type?.array ? undefined : column.type?.code;
  const problems: FitProblem[] = [];
  if (bitReverse && code !== 'INT64') {
    problems.push([place, `${column.typeText} has no bits to reverse`, 'Use an INT64 column, or remove bitReverse']);
  }
  if (windowMs !== undefined && code !== 'TIMESTAMP') {
    problems.push([place, `${column.typeText} has no windows`, 'Use a TIMESTAMP column, or remove window']);
  }
  if (bitReverse && windowMs !== undefined) {
    problems.push([place, 'has both bitReverse and window', 'Keep one of them']);
  }
  if (from.kind === 'hash') problems.push(...checkHash(fit, place, column, from.of));
  if (from.kind === 'hash' && (bitReverse || windowMs !== undefined)) {
    problems.push([place, 'a hash is spread already', 'Remove bitReverse and window']);
  }
  return problems;
}

function checkHash(
  { target, table }: TableFit,
  place: string,
  column: TableColumn,
  of: readonly string[],
): FitProblem[] {
  const problems: FitProblem[] = [];
  if (column.type?.code !== 'INT64' || column.type.array) {
    problems.push([place, `${column.typeText} cannot hold a bucket`, 'Use an INT64 column']);
  }
  const planned = planColumns(target, table);
  for (const name of of) {
    const found = planned.find((one) => one.column.name.toLowerCase() === name.toLowerCase());
    if (!found || found.source === 'commit-timestamp') {
      problems.push([place, `is made of ${name}, which is not written from the record`, 'Name columns that are']);
    } else if (found.source.from.kind === 'hash') {
      problems.push([place, `is made of ${name}, which is a hash itself`, 'Name columns that are none']);
    } else if (found.optional) {
      problems.push([place, `is made of ${name}, which a record may leave out`, `Say where ${name} comes from`]);
    } else if (!found.column.type || found.column.type.array || !hashedCodes.has(found.column.type.code)) {
      problems.push([place, `is made of ${name}, and ${found.column.typeText} has no one text`, 'Name other columns']);
    }
  }
  return problems;
}
