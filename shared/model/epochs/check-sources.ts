import { rowUses } from '../sql/row-uses.ts';

/** What is no table of its own in a database: its name as it is spelled, and `VIEW` or `SYNONYM`. */
export interface OtherSource {
  readonly name: string;
  readonly kind: string;
}

/**
 * Looks whether a feed reads tables by their own names: a view reads columns that no feed names, and a synonym those of a table that
 * no feed names, so that neither policies nor grants can follow them.
 *
 * @param feed.sql a query in place of the table
 * @param others of the database's schema without a name
 * @returns the first that it reads in place of a table
 */
export function findOtherSource(
  feed: { readonly table: string; readonly sql?: string | undefined; readonly joined: readonly string[] },
  others: readonly OtherSource[],
): OtherSource | undefined {
  const own = feed.sql === undefined ? [feed.table] : rowUses(feed.sql).sources;
  const names = new Set([...own, ...feed.joined].map((name) => name.toLowerCase()));
  return others.find(({ name }) => names.has(name.toLowerCase()));
}
