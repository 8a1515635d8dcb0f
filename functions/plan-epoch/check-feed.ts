import type { PinnedSnapshot } from '../../shared/adapters/spanner/epochs/pin-snapshot.ts';
import { ConfigError, type ConfigProblem } from '../../shared/base/errors.ts';
import type { Feed } from '../../shared/model/config/declaration.ts';
import { columnsOf, type Transform } from '../../shared/model/config/transform.ts';
import { joinedColumn, ownColumns, type PlannedJoin } from '../../shared/model/epochs/join.ts';
import { isPartOfDay } from '../../shared/model/tensors/date-part.ts';
import { checkJoins } from './check-joins.ts';

const NUMBERS = ['BOOL', 'INT64', 'FLOAT32', 'FLOAT64', 'NUMERIC'];
const MOMENTS = ['TIMESTAMP', 'DATE'];
/** Those whose CAST to STRING is what travels. */
const TEXTS = ['STRING', 'INT64', 'DATE', 'UUID'];
const LISTS = NUMBERS.map((type) => `ARRAY<${type}>`);

/** Types of which a transform can be made; of a cross both columns. */
function typesOf(transform: Transform): readonly string[] {
  switch (transform.kind) {
    case 'cast':
      return castTypes(transform);
    case 'normalise':
    case 'bucket':
      return NUMBERS;
    case 'part':
      return isPartOfDay(transform.part) ? MOMENTS : ['TIMESTAMP'];
    case 'vocabulary':
      return TEXTS;
    case 'hash':
      return [...TEXTS, 'BOOL', 'BYTES'];
    case 'text':
      return ['STRING', 'BYTES', 'UUID'];
    case 'list':
      return LISTS;
  }
}

function castTypes({ as, scale, unit }: Extract<Transform, { kind: 'cast' }>): readonly string[] {
  if (scale !== undefined) return ['NUMERIC'];
  if (unit !== undefined) return ['TIMESTAMP'];
  const days = as === 'bool' || as === 'uint8' ? [] : ['DATE'];
  return [...NUMBERS, ...days, ...(as === 'int64' ? ['TIMESTAMP'] : [])];
}

/** `STRING(36)` is a STRING, and `ARRAY<FLOAT32>(vector_length=>128)` an ARRAY<FLOAT32>. */
function plainType(type: string): string {
  return type.replace(/\([^)]*\)/g, '');
}

/** What a feed is made of, in this database. */
export interface CheckedFeed {
  /** To be read: those of the key first, those of joined tables last. */
  readonly columns: readonly string[];
  /** Of these columns, as Spanner spells them, by lower-case name. */
  readonly types: ReadonlyMap<string, string>;
  readonly joins: readonly PlannedJoin[];
}

/**
 * Checks that the table, and those that are joined, have what the feed is made of.
 *
 * @throws {ConfigError} naming every column that is missing or of a type that its transform cannot take
 */
export function checkFeed(feed: Feed, pinned: Pick<PinnedSnapshot, 'key' | 'types' | 'joined'>): CheckedFeed {
  const named = columnsNamed(feed);
  const { joins, types, problems: wrongJoins } = checkJoins(feed, pinned, named);
  const problems = [...wrongJoins];
  const check = (path: string, column: string, wanted: readonly string[]): void => {
    const type = types.get(column.toLowerCase());
    const message =
      type === undefined
        ? `${sourceName(feed, column)} has no column ${column}`
        : `column ${column} is ${type}, which this cannot be made of`;
    if (type !== undefined && wanted.includes(plainType(type))) return;
    problems.push({ path: `feeds.${feed.name}.${path}`, message, remedy: `Name a column of ${wanted.join(', ')}` });
  };
  for (const transform of feed.transforms) {
    const path = `transforms.${transform.tensor}`;
    for (const column of columnsOf(transform)) check(path, column, typesOf(transform));
    checkVectorLength(feed, transform, types, problems);
  }
  if (feed.label) check('label', feed.label.column, NUMBERS);
  if (feed.weight?.kind === 'column') check('weight', feed.weight.column, NUMBERS);
  if (feed.split) check('split.by', feed.split.by, TEXTS);
  if (problems.length > 0) throw new ConfigError(problems);
  const joined = named.filter((column) => joinedColumn(column) !== undefined);
  const own = ownColumns([...pinned.key.map(({ name }) => name), ...named], joins);
  return { columns: [...own, ...joined], types, joins };
}

/** Every column that a feed names, once. */
function columnsNamed({ transforms, label, weight, split }: Feed): string[] {
  const weightColumn = weight?.kind === 'column' ? weight.column : undefined;
  const all = [...transforms.flatMap(columnsOf), label?.column, weightColumn, split?.by];
  return [...new Set(all.filter((column) => column !== undefined))];
}

function sourceName(feed: Feed, column: string): string {
  const join = joinedColumn(column)?.join;
  const joined = feed.join?.find(({ name }) => name === join);
  if (joined) return `table ${joined.table}`;
  return feed.sql ? 'the query' : `table ${feed.table}`;
}

/** An embedding's type says its length: another one could never be read. */
function checkVectorLength(
  feed: Feed,
  transform: Transform,
  types: ReadonlyMap<string, string>,
  problems: ConfigProblem[],
): void {
  if (transform.kind !== 'list' || transform.pad !== undefined) return;
  const declared = /vector_length=>(\d+)/.exec(types.get(transform.column.toLowerCase()) ?? '')?.[1];
  if (declared === undefined || Number(declared) === transform.length) return;
  if (transform.truncate && Number(declared) > transform.length) return;
  problems.push({
    path: `feeds.${feed.name}.transforms.${transform.tensor}.length`,
    message: `is ${transform.length}, and column ${transform.column} has ${declared} items`,
    remedy: `Set length to ${declared}`,
  });
}
