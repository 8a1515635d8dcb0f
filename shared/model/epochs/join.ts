/** A small table whose columns stand beside a feed's own, as `NAME.COLUMN`. Plain JSON. */
export interface PlannedJoin {
  readonly name: string;
  readonly table: string;
  /** Of the joined table: its primary key, in its order. */
  readonly key: readonly string[];
  /** Which column of the feed's must equal which of the joined table's; the latter are unique together. */
  readonly on: readonly JoinPair[];
  /** Of the columns that are taken of it, as Spanner spells them. */
  readonly types: Readonly<Record<string, string>>;
}

export interface JoinPair {
  readonly column: string;
  readonly equals: string;
}

/** A column of a joined table. */
export interface JoinedColumn {
  readonly join: string;
  readonly column: string;
}

/** Reads `airports.Latitude`; undefined for a column of the feed's own table. */
export function joinedColumn(name: string): JoinedColumn | undefined {
  const dot = name.indexOf('.');
  return dot < 0 ? undefined : { join: name.slice(0, dot), column: name.slice(dot + 1) };
}

/** Those of the joins that columns are taken of. */
export function joinsOf<J extends { readonly name: string }>(columns: readonly string[], joins: readonly J[]): J[] {
  const wanted = new Set(columns.map((column) => joinedColumn(column)?.join));
  return joins.filter(({ name }) => wanted.has(name));
}

/**
 * The columns to read of the feed's own table for some columns: their joins' among them.
 *
 * @returns the wanted ones in their order, and then what joins go by
 */
export function ownColumns(
  columns: readonly string[],
  joins: readonly { readonly name: string; readonly on: readonly JoinPair[] }[],
): string[] {
  const own = columns.filter((column) => joinedColumn(column) === undefined);
  const on = joinsOf(columns, joins).flatMap((join) => join.on.map(({ column }) => column));
  return [...new Set([...own, ...on])];
}
