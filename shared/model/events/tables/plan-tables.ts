import { ConfigError, type ConfigProblem } from '../../../base/errors.ts';
import type { ColumnSource, Pipeline, Target } from '../../config/declaration.ts';
import { fieldsOf } from '../../formats/shapes/message-shape.ts';
import {
  type ColumnDefinition,
  type RecordShapes,
  typeOfCounter,
  typeOfShape,
  typeOfSource,
  typeOfVersion,
} from './source-type.ts';

/** A table that a pipeline needs, as it could be made. */
export interface PlannedTable {
  readonly name: string;
  /** One `CREATE TABLE IF NOT EXISTS`. */
  readonly statement: string;
  /** Columns whose type no schema tells: theirs is the widest that takes the values. */
  readonly guessed: readonly string[];
}

const COLUMN_NAME = /^[A-Za-z_]\w{0,127}$/;
const COORDINATES: readonly string[] = ['topic', 'partition', 'offset'];

/**
 * The tables of a pipeline: the columns that it declares, its guard, and the fields of the message's schema that it takes by
 * their names. Only the key is NOT NULL.
 *
 * The key is the group of an aggregate; else the buckets and then the columns that come from the record's key; else its
 * coordinates; else the first field.
 *
 * @throws {ConfigError} for a table of which the declaration names no column that could be its key
 */
export function planTables(pipeline: Pipeline, shapes: RecordShapes): readonly PlannedTable[] {
  const byTable = Map.groupBy(pipeline.targets, ({ table }) => table.toLowerCase());
  const problems: ConfigProblem[] = [];
  const tables = [...byTable.values()].flatMap((targets): PlannedTable[] => {
    const columns = columnsOf(pipeline, targets, shapes);
    const key = keyOf(targets);
    const [{ table } = { table: '' }] = targets;
    if (key.length > 0) return [printTable(table, columns, key)];
    const message = `says nothing of the key of table ${table}`;
    problems.push({ path: `pipelines.${pipeline.name}`, message, remedy: 'Declare the key’s columns under `columns`' });
    return [];
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return tables;
}

type Columns = Map<string, ColumnDefinition>;

/** By their names as they were written first; the case of a name does not count. */
function columnsOf(pipeline: Pipeline, targets: readonly Target[], shapes: RecordShapes): Columns {
  const columns: Columns = new Map();
  const names = new Set<string>();
  const add = (name: string, definition: ColumnDefinition): void => {
    if (names.has(name.toLowerCase())) return;
    names.add(name.toLowerCase());
    columns.set(name, definition);
  };
  for (const target of targets) {
    for (const source of sourcesIn(target)) add(source.column, typeOfSource(source, pipeline, shapes));
    for (const into of target.aggregate?.into ?? []) {
      add(into.column, typeOfCounter(into, shapes));
      if (into.by) add(into.by.column, typeOfVersion(into.by.field, shapes));
    }
    if (target.guard !== undefined) add(target.guard, typeOfVersion(target.guard, shapes));
  }
  const used = new Set(targets.flatMap(sourcesIn).flatMap(({ from }) => (from.kind === 'field' ? [from.path] : [])));
  const message = fieldsOf(shapes.value);
  if (!message || !targets.some(({ mode }) => mode !== 'aggregate' && mode !== 'delete')) return columns;
  for (const name of message.names) {
    const field = message.field(name);
    if (field && !used.has(name) && COLUMN_NAME.test(name)) add(name, typeOfShape(field.shape));
  }
  return columns;
}

function sourcesIn(target: Target): readonly ColumnSource[] {
  return target.aggregate?.groupBy ?? target.columns;
}

function keyOf(targets: readonly Target[]): readonly string[] {
  const grouped = targets.find(({ aggregate }) => aggregate !== undefined);
  if (grouped) return sourcesIn(grouped).map(({ column }) => column);
  // What a deletion needs is the key, but for its guard.
  const deletion = targets.find(({ mode }) => mode === 'delete');
  if (deletion) return deletion.columns.map(({ column }) => column).filter((column) => column !== deletion.guard);
  const sources = targets.flatMap(sourcesIn);
  const hashes = sources.flatMap(({ column, from }) => (from.kind === 'hash' ? [{ column, of: from.of }] : []));
  const hashed = hashes.flatMap(({ column, of }) => [column, ...of]);
  const key = [...hashed, ...namingColumns(sources, hashed.length === 0)];
  return key.filter((name, at) => key.findIndex((other) => other.toLowerCase() === name.toLowerCase()) === at);
}

/** The columns of the sources that name a record: its key, else its coordinates, else the first field. */
function namingColumns(sources: readonly ColumnSource[], takesField: boolean): readonly string[] {
  const ofKey = sources.filter(({ from }) => from.kind === 'key' || from.kind === 'keyField');
  if (ofKey.length > 0) return ofKey.map(({ column }) => column);
  const coordinates = sources.filter(({ from }) => from.kind === 'record' && COORDINATES.includes(from.part));
  const hasOffset = coordinates.some(({ from }) => from.kind === 'record' && from.part === 'offset');
  if (hasOffset) return coordinates.map(({ column }) => column);
  const field = takesField ? sources.find(({ from }) => from.kind === 'field') : undefined;
  return field ? [field.column] : [];
}

function printTable(table: string, columns: Columns, key: readonly string[]): PlannedTable {
  const isKey = (name: string): boolean => key.some((part) => part.toLowerCase() === name.toLowerCase());
  const ordered = [...columns].sort(([a], [b]) => placeOf(a, key) - placeOf(b, key));
  const lines = ordered.map(([name, { type }]) => `  \`${name}\` ${type}${isKey(name) ? ' NOT NULL' : ''},`);
  const parts = key.map((name) => `\`${name}\``).join(', ');
  return {
    name: table,
    statement: `CREATE TABLE IF NOT EXISTS \`${table}\` (\n${lines.join('\n')}\n) PRIMARY KEY (${parts})`,
    guessed: ordered.filter(([, { isKnown }]) => !isKnown).map(([name]) => name),
  };
}

/** The key's columns first, in its order. */
function placeOf(name: string, key: readonly string[]): number {
  const at = key.findIndex((part) => part.toLowerCase() === name.toLowerCase());
  return at < 0 ? key.length : at;
}
