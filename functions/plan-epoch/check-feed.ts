import type { PinnedSnapshot } from '../../shared/adapters/spanner/epochs/pin-snapshot.ts';
import { ConfigError, type ConfigProblem } from '../../shared/base/errors.ts';
import type { Feed, Transform } from '../../shared/model/config/declaration.ts';

const NUMBERS = ['BOOL', 'INT64', 'FLOAT32', 'FLOAT64', 'NUMERIC'];
const MOMENTS = ['TIMESTAMP', 'DATE'];
/** Those whose CAST to STRING is what travels. */
const HASHED = ['STRING', 'INT64', 'DATE', 'UUID'];

const typesOf: Readonly<Record<Transform['kind'], readonly string[]>> = {
  cast: NUMBERS,
  normalise: NUMBERS,
  part: MOMENTS,
  vocabulary: HASHED,
};

/**
 * Checks that the table has what the feed is made of.
 *
 * @returns the columns to read: those of the key first
 * @throws {ConfigError} naming every column that is missing or of a type that its transform cannot take
 */
export function checkFeed(feed: Feed, { key, types }: Pick<PinnedSnapshot, 'key' | 'types'>): string[] {
  const problems: ConfigProblem[] = [];
  const check = (path: string, column: string, wanted: readonly string[]): void => {
    const type = types.get(column.toLowerCase());
    const message =
      type === undefined
        ? `table ${feed.table} has no column ${column}`
        : `column ${column} is ${type}, which this cannot be made of`;
    if (type !== undefined && wanted.includes(type.replace(/\(.*$/, ''))) return;
    problems.push({ path: `feeds.${feed.name}.${path}`, message, remedy: `Name a column of ${wanted.join(', ')}` });
  };
  for (const transform of feed.transforms) {
    check(`transforms.${transform.tensor}`, transform.column, typesOf[transform.kind]);
  }
  if (feed.label) check('label', feed.label.column, NUMBERS);
  if (feed.split) check('split.by', feed.split.by, HASHED);
  if (problems.length > 0) throw new ConfigError(problems);
  const wanted = [...feed.transforms.map(({ column }) => column), feed.label?.column, feed.split?.by];
  const keys = key.map(({ name }) => name);
  return [...new Set([...keys, ...wanted.filter((column) => column !== undefined)])];
}
