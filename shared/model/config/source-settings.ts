import { checkQuery } from '../epochs/check-query.ts';
import type { Feed } from './declaration.ts';
import type { Report } from './finding.ts';
import type { WrittenFeed } from './schema.ts';

/** Resolves what a feed's rows are read of: a table, or a query with its key. */
export function sourceSettings(
  { table, sql, key, where }: WrittenFeed,
  path: readonly string[],
  report: Report,
): Pick<Feed, 'table' | 'sql'> {
  if (table === undefined && sql === undefined) report([...path, 'table'], 'is missing', 'Name a table, or give `sql`');
  if (sql === undefined) {
    if (key !== undefined) report([...path, 'key'], 'is given for a table, which has one', 'Remove it');
    return { table: table ?? '' };
  }
  if (table !== undefined) report([...path, 'sql'], 'is given beside `table`', 'Keep one of the two');
  if (where !== undefined) report([...path, 'where'], 'is given beside `sql`', 'Write it into the query');
  const wrong = checkQuery(sql);
  if (wrong !== undefined) {
    report([...path, 'sql'], wrong, 'Write one query that gives the same rows whenever it is asked at one timestamp');
  }
  if (key === undefined) {
    report([...path, 'key'], 'is missing', 'Name the columns of the query that tell its rows apart: [OrderId]');
  }
  const columns = (key ?? []).map((column) => ({
    name: column.replace(/ DESC$/, ''),
    descending: column.endsWith(' DESC'),
  }));
  const twice = columns.find(
    ({ name }, at) => columns.findIndex((other) => other.name.toLowerCase() === name.toLowerCase()) < at,
  );
  if (twice) report([...path, 'key'], `names ${twice.name} twice`, 'Name each column once');
  return { table: 'query', sql: { text: sql, key: columns } };
}
