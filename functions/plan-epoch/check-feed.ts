import type { PinnedSnapshot } from '../../shared/adapters/spanner/epochs/pin-snapshot.ts';
import { ConfigError, type ConfigProblem } from '../../shared/base/errors.ts';
import type { Feed } from '../../shared/model/config/declaration.ts';
import { columnsOf, type Transform } from '../../shared/model/config/transform.ts';
import { isPartOfDay } from '../../shared/model/tensors/date-part.ts';

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
  const weightColumn = feed.weight?.kind === 'column' ? feed.weight.column : undefined;
  const wanted = [...feed.transforms.flatMap(columnsOf), feed.label?.column, weightColumn, feed.split?.by];
  const keys = key.map(({ name }) => name);
  return [...new Set([...keys, ...wanted.filter((column) => column !== undefined)])];
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
