import type { PinnedSnapshot } from '../../shared/adapters/spanner/epochs/pin-snapshot.ts';
import type { ConfigProblem } from '../../shared/base/errors.ts';
import type { Feed, FeedJoin } from '../../shared/model/config/declaration.ts';
import { joinedColumn, type PlannedJoin } from '../../shared/model/epochs/join.ts';

/** Of which one value is written one way alone: of a FLOAT NaN and -0 are not. */
const COMPARED = ['BOOL', 'INT64', 'STRING', 'BYTES', 'DATE', 'TIMESTAMP', 'NUMERIC', 'UUID'];

/** What joins add to a feed. */
export interface CheckedJoins {
  readonly joins: readonly PlannedJoin[];
  /** Of the feed's columns and of the joined ones, `name.column`, by lower-case name. */
  readonly types: ReadonlyMap<string, string>;
  readonly problems: readonly ConfigProblem[];
}

/**
 * Checks that each join finds at most one row, by columns of the same types.
 *
 * @param named columns of the feed, joined ones among them
 */
export function checkJoins(
  feed: Feed,
  pinned: Pick<PinnedSnapshot, 'types' | 'joined'>,
  named: readonly string[],
): CheckedJoins {
  const types = new Map(pinned.types);
  const problems: ConfigProblem[] = [];
  const joins = (feed.join ?? []).map((join): PlannedJoin => {
    const joined = pinned.joined.get(join.table);
    for (const [column, type] of joined?.types ?? []) types.set(`${join.name}.${column}`.toLowerCase(), type);
    const report = (message: string, remedy: string): void => {
      problems.push({ path: `feeds.${feed.name}.join.${join.name}`, message, remedy });
    };
    checkTypes(join, { own: pinned.types, other: joined?.types ?? new Map() }, { feed, report });
    const wanted = nameSet(join.on.map(({ equals }) => equals));
    const uniques = joined?.uniques ?? [];
    if (!uniques.some((unique) => nameSet(unique) === wanted)) {
      const known = uniques.map((unique) => `(${unique.join(', ')})`).join(' or ');
      report(
        `could find several rows of ${join.table} by ${join.on.map(({ equals }) => equals).join(', ')}`,
        `Join by all columns of its primary key or of a unique index: ${known}`,
      );
    }
    const taken = named.map(joinedColumn).flatMap((of) => (of?.join === join.name ? [of.column] : []));
    const typeOf = (column: string): string => joined?.types.get(column.toLowerCase()) ?? '';
    return {
      ...join,
      key: (joined?.key ?? []).map(({ name }) => name),
      types: Object.fromEntries(taken.map((column) => [column, typeOf(column)])),
    };
  });
  return { joins, types, problems };
}

function checkTypes(
  { table, on }: FeedJoin,
  { own, other }: { readonly own: ReadonlyMap<string, string>; readonly other: ReadonlyMap<string, string> },
  { feed, report }: { readonly feed: Feed; readonly report: (message: string, remedy: string) => void },
): void {
  for (const { column, equals } of on) {
    const left = own.get(column.toLowerCase())?.replace(/\(.*$/, '');
    const right = other.get(equals.toLowerCase())?.replace(/\(.*$/, '');
    if (left === undefined) report(`${feed.table} has no column ${column}`, `Name one of ${feed.table}`);
    if (right === undefined) report(`${table} has no column ${equals}`, `Name one of ${table}`);
    if (left === undefined || right === undefined) continue;
    if (left !== right) report(`compares ${column}, ${left}, with ${equals}, ${right}`, 'Join columns of one type');
    else if (!COMPARED.includes(left)) report(`compares ${left}`, `Join by columns of ${COMPARED.join(', ')}`);
  }
}

/** Columns in no order, as Spanner tells names apart. */
function nameSet(names: readonly string[]): string {
  return names
    .map((name) => name.toLowerCase())
    .toSorted()
    .join();
}
