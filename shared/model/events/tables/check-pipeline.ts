import { type ConfigProblem, messageOf } from '../../../base/errors.ts';
import type { ColumnSource, Pipeline, Target } from '../../config/declaration.ts';
import { decoderOf } from '../../formats/decoder-of.ts';
import { noSchemas } from '../../formats/schema-book.ts';
import { PoisonError } from '../records/poison.ts';
import { sourceReader } from '../records/read-source.ts';
import { columnReader } from '../values/convert.ts';
import { checkAggregate } from './check-aggregate.ts';
import { checkMade } from './check-made.ts';
import { checkShapes } from './check-shapes.ts';
import { checkGuard, checkSharing } from './check-sharing.ts';
import { findColumn, isKey, sourcesOf } from './column-plan.ts';
import { type RecordShapes, unknownShapes } from './source-type.ts';
import type { FitProblem, TableFit } from './table-fit.ts';
import type { TableColumn, TableSchema } from './table-schema.ts';

/**
 * Every way in which a pipeline and its tables do not fit together; none when the pipeline can run.
 *
 * With `onDrift: ignore`, declared columns that a table lacks are no mistake: they are not written.
 *
 * @param tables by the name that the declaration gives them; a table that is not there has no entry
 * @param database for messages
 * @param shapes what the message's schema says, where it is known
 */
export function checkPipeline(
  pipeline: Pipeline,
  tables: ReadonlyMap<string, TableSchema>,
  database: string,
  shapes: RecordShapes = unknownShapes,
): readonly ConfigProblem[] {
  const formats = checkFormats(pipeline);
  const targets = pipeline.targets.flatMap((target, at) => {
    const place = `pipelines.${pipeline.name}${pipeline.targets.length > 1 ? `.routes.${at}` : ''}`;
    const table = tables.get(target.table);
    const remedy = 'Create the table (`penstock plan-table` prints its DDL), or name one that exists';
    const problems: readonly FitProblem[] = table
      ? [
          ...checkTarget({ pipeline, target, table }),
          ...checkShapes({ pipeline, target, table }, shapes),
          ...checkSharing(pipeline, target, tables),
        ]
      : [['table', `database ${database} has no table ${target.table}`, remedy]];
    return problems.map(([path, message, remedy]) => ({ path: `${place}.${path}`, message, remedy }));
  });
  return [...formats, ...targets];
}

/** Schema files are read; a registry's schemas come with the records. */
function checkFormats({ name, format, keyFormat }: Pipeline): ConfigProblem[] {
  const parts = [
    ['schema', format, 'value'],
    ['keySchema', keyFormat, 'key'],
  ] as const;
  return parts.flatMap(([setting, one, part]) => {
    try {
      if (one) decoderOf(one, { schemas: noSchemas, part });
      return [];
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return [{ path: `pipelines.${name}.${setting}`, message: error.message, remedy: 'Correct the schema file' }];
    }
  });
}

function checkTarget(fit: TableFit): FitProblem[] {
  const { target, table } = fit;
  return [
    ...sourcesOf(target).flatMap((source) => checkSource(fit, source)),
    ...table.columns.flatMap((column) => checkColumn(fit, column)),
    ...checkCondition(fit),
    ...checkGuard(target, table),
    ...checkAggregate(fit),
  ];
}

function checkCondition({ pipeline, target }: TableFit): FitProblem[] {
  const by = target.when?.by.kind;
  return by === 'field' || by === 'keyField' ? checkFields(pipeline, 'when', by) : [];
}

/** A field needs a format that has fields. */
function checkFields({ format, keyFormat }: Pipeline, place: string, kind: 'field' | 'keyField'): FitProblem[] {
  if (kind === 'field') {
    if (format.kind !== 'bytes') return [];
    return [[place, 'format bytes has no fields', 'Use key, header, constant or record, or format: json']];
  }
  if (keyFormat && keyFormat.kind !== 'bytes') return [];
  return [[place, 'the key is not decoded, so that it has no fields', 'Add `keyFormat`, or use the whole key']];
}

function checkSource(fit: TableFit, source: ColumnSource): FitProblem[] {
  const { pipeline, table } = fit;
  const place = `columns.${source.column}`;
  const column = findColumn(table, source.column);
  if (!column) {
    if (pipeline.onDrift === 'ignore') return [];
    const remedy = `Add the column to the table, or remove it here, or set onDrift: add-column or ignore`;
    return [[place, `table ${table.name} has no column ${source.column}`, remedy]];
  }
  if (column.generated) return [[place, `column ${column.name} is generated`, 'Remove it: the database fills it']];
  if (!column.type) return [[place, `no pipeline can write type ${column.typeText}`, 'Use another column']];
  return [
    ...checkReading(place, column, source),
    ...checkFit(pipeline, place, column, source),
    ...checkMade(fit, place, column, source),
  ];
}

/** Patterns, zones and constants are tried; a constant that does not fit would poison every record. */
function checkReading(place: string, column: TableColumn, source: ColumnSource): FitProblem[] {
  if (source.from.kind === 'hash') return [];
  try {
    sourceReader(source.from, columnReader(column, source));
    if (source.from.kind === 'constant' && source.from.value === null && column.notNull) {
      return [[place, 'the constant null does not fit a NOT NULL column', 'Give another constant']];
    }
    return [];
  } catch (error) {
    if (!(error instanceof PoisonError || error instanceof RangeError)) throw error;
    return [[place, messageOf(error), 'Correct the format, zone or constant']];
  }
}

const COORDINATE_TYPES: Readonly<Record<string, readonly string[]>> = {
  topic: ['STRING'],
  partition: ['INT64', 'STRING'],
  offset: ['INT64', 'STRING'],
  timestamp: ['TIMESTAMP', 'STRING'],
  value: ['STRING', 'BYTES', 'JSON'],
};

function checkFit(
  pipeline: Pipeline,
  place: string,
  column: TableColumn,
  { from, format }: ColumnSource,
): FitProblem[] {
  const code = column.type?.code ?? '';
  const problems: FitProblem[] = [];
  if (from.kind === 'record' && (column.type?.array || !COORDINATE_TYPES[from.part]?.includes(code))) {
    const types = COORDINATE_TYPES[from.part]?.join(' or ');
    problems.push([place, `${column.typeText} cannot hold the record's ${from.part}`, `Use a column of ${types}`]);
  }
  if ((from.kind === 'key' || from.kind === 'header') && column.type?.array) {
    problems.push([place, `${column.typeText} cannot be read from a ${from.kind}`, 'Take it from a field']);
  }
  if (from.kind === 'field' || from.kind === 'keyField') problems.push(...checkFields(pipeline, place, from.kind));
  const topics = pipeline.source.kind === 'kafka' ? pipeline.source.topics : [];
  const maxLength = column.type?.maxLength ?? Number.POSITIVE_INFINITY;
  const topic = topics.find(({ length }) => length > maxLength);
  if (from.kind === 'record' && from.part === 'topic' && topic !== undefined) {
    problems.push([
      place,
      `${column.typeText} is too short for topic ${topic}`,
      `Use STRING(${topic.length}) or longer`,
    ]);
  }
  if (format !== undefined && code !== 'TIMESTAMP' && code !== 'DATE') {
    problems.push([place, `${column.typeText} is not read by a pattern`, 'Remove the format']);
  }
  return problems;
}

/** What the table needs beyond what is declared. */
function checkColumn({ pipeline, target, table }: TableFit, column: TableColumn): FitProblem[] {
  const place = `columns.${column.name}`;
  const key = isKey(table, column);
  if (key && column.generated) {
    return [[place, `key column ${column.name} is generated`, 'Use a table whose key the records carry']];
  }
  if (sourcesOf(target).some(({ column: name }) => name.toLowerCase() === column.name.toLowerCase())) return [];
  if (target.mode === 'aggregate') return checkAggregated(target, column, key);
  const keepsRows = target.mode === 'delete' || target.mode === 'update';
  const needed = key || (column.notNull && !column.hasDefault && !column.generated && !keepsRows);
  if (!needed) return [];
  if (!column.type) return [[place, `NOT NULL column ${column.name} has type ${column.typeText}`, 'Give it a default']];
  if (pipeline.format.kind !== 'bytes' || (column.allowCommitTimestamp && !key)) return [];
  const what = key ? 'key column' : 'NOT NULL column';
  return [[place, `${what} ${column.name} has no source`, 'Say where it comes from, or give it a default']];
}

function checkAggregated(target: Target, column: TableColumn, key: boolean): FitProblem[] {
  if (key) return [[`groupBy.${column.name}`, `key column ${column.name} is not grouped by`, 'Add it to groupBy']];
  const names = target.aggregate?.into.flatMap(({ column: name, by }) => [name, ...(by ? [by.column] : [])]) ?? [];
  const aggregated = names.some((name) => name.toLowerCase() === column.name.toLowerCase());
  if (aggregated || !column.notNull || column.hasDefault || column.generated) return [];
  const message = `NOT NULL column ${column.name} has no aggregate`;
  return [[`aggregates.${column.name}`, message, 'Add an aggregate for it, or give it a default']];
}
