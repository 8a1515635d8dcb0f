import { type ConfigProblem, messageOf } from '../../base/errors.ts';
import type { ColumnSource, Pipeline, Target } from '../config/declaration.ts';
import { findColumn, isKey, sourcesOf } from './column-plan.ts';
import { orderedCodes } from './compare-cells.ts';
import { columnReader } from './convert.ts';
import { PoisonError } from './poison.ts';
import { sourceReader } from './read-source.ts';
import type { TableColumn, TableSchema } from './table-schema.ts';

const SUMMED = new Set(['INT64', 'FLOAT64', 'NUMERIC']);

/**
 * Every way in which a pipeline and its tables do not fit together; none when the pipeline can run.
 *
 * With `onDrift: ignore`, declared columns that a table lacks are no mistake: they are not written.
 *
 * @param tables by the name that the declaration gives them; a table that is not there has no entry
 * @param database for messages
 */
export function checkPipeline(
  pipeline: Pipeline,
  tables: ReadonlyMap<string, TableSchema>,
  database: string,
): readonly ConfigProblem[] {
  return pipeline.targets.flatMap((target, at) => {
    const place = `pipelines.${pipeline.name}${pipeline.targets.length > 1 ? `.routes.${at}` : ''}`;
    const table = tables.get(target.table);
    const problems: readonly Problem[] = table
      ? checkTarget({ pipeline, target, table })
      : [['table', `database ${database} has no table ${target.table}`, 'Create the table, or name one that exists']];
    return problems.map(([path, message, remedy]) => ({ path: `${place}.${path}`, message, remedy }));
  });
}

/** What is checked against what. */
interface Fit {
  readonly pipeline: Pipeline;
  readonly target: Target;
  readonly table: TableSchema;
}

function checkTarget(fit: Fit): Problem[] {
  const { target, table } = fit;
  return [
    ...sourcesOf(target).flatMap((source) => checkSource(fit, source)),
    ...table.columns.flatMap((column) => checkColumn(fit, column)),
    ...checkGuard(target, table),
    ...checkAggregate(fit),
  ];
}

/** Where under the pipeline, what is wrong, what to do. */
type Problem = readonly [place: string, message: string, remedy: string];

function checkSource({ pipeline, table }: Fit, source: ColumnSource): Problem[] {
  const place = `columns.${source.column}`;
  const column = findColumn(table, source.column);
  if (!column) {
    if (pipeline.onDrift === 'ignore') return [];
    const remedy = `Add the column to the table, or remove it here, or set onDrift: ignore`;
    return [[place, `table ${table.name} has no column ${source.column}`, remedy]];
  }
  if (column.generated) return [[place, `column ${column.name} is generated`, 'Remove it: the database fills it']];
  if (!column.type) return [[place, `no pipeline can write type ${column.typeText}`, 'Use another column']];
  return [...checkReading(place, column, source), ...checkFit(pipeline, place, column, source)];
}

/** Patterns, zones and constants are tried; a constant that does not fit would poison every record. */
function checkReading(place: string, column: TableColumn, source: ColumnSource): Problem[] {
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

function checkFit(pipeline: Pipeline, place: string, column: TableColumn, { from, format }: ColumnSource): Problem[] {
  const code = column.type?.code ?? '';
  const problems: Problem[] = [];
  if (from.kind === 'record' && (column.type?.array || !COORDINATE_TYPES[from.part]?.includes(code))) {
    const types = COORDINATE_TYPES[from.part]?.join(' or ');
    problems.push([place, `${column.typeText} cannot hold the record's ${from.part}`, `Use a column of ${types}`]);
  }
  if ((from.kind === 'key' || from.kind === 'header') && column.type?.array) {
    problems.push([place, `${column.typeText} cannot be read from a ${from.kind}`, 'Take it from a field']);
  }
  if (from.kind === 'field' && pipeline.format.kind === 'bytes') {
    problems.push([place, 'format bytes has no fields', 'Use key, header, constant or record, or format: json']);
  }
  if (format !== undefined && code !== 'TIMESTAMP' && code !== 'DATE') {
    problems.push([place, `${column.typeText} is not read by a pattern`, 'Remove the format']);
  }
  return problems;
}

/** What the table needs beyond what is declared. */
function checkColumn({ pipeline, target, table }: Fit, column: TableColumn): Problem[] {
  const place = `columns.${column.name}`;
  const key = isKey(table, column);
  if (key && column.generated) {
    return [[place, `key column ${column.name} is generated`, 'Use a table whose key the records carry']];
  }
  if (sourcesOf(target).some(({ column: name }) => name.toLowerCase() === column.name.toLowerCase())) return [];
  if (target.mode === 'aggregate') return checkAggregated(target, column, key);
  const needed = key || (column.notNull && !column.hasDefault && !column.generated && target.mode !== 'delete');
  if (!needed) return [];
  if (!column.type) return [[place, `NOT NULL column ${column.name} has type ${column.typeText}`, 'Give it a default']];
  if (pipeline.format.kind !== 'bytes' || (column.allowCommitTimestamp && !key)) return [];
  const what = key ? 'key column' : 'NOT NULL column';
  return [[place, `${what} ${column.name} has no source`, 'Say where it comes from, or give it a default']];
}

function checkAggregated(target: Target, column: TableColumn, key: boolean): Problem[] {
  if (key) return [[`groupBy.${column.name}`, `key column ${column.name} is not grouped by`, 'Add it to groupBy']];
  const aggregated = target.aggregate?.into.some(
    ({ column: name }) => name.toLowerCase() === column.name.toLowerCase(),
  );
  if (aggregated || !column.notNull || column.hasDefault || column.generated) return [];
  const message = `NOT NULL column ${column.name} has no aggregate`;
  return [[`aggregates.${column.name}`, message, 'Add an aggregate for it, or give it a default']];
}

function checkGuard({ guard, mode }: Target, table: TableSchema): Problem[] {
  if (guard === undefined) return [];
  const column = findColumn(table, guard);
  if (!column) return [['guard', `table ${table.name} has no column ${guard}`, 'Name a column of the table']];
  if (mode === 'insert' || mode === 'aggregate') {
    return [['guard', `mode ${mode} writes no row twice`, 'Remove the guard, or use mode upsert']];
  }
  if (column.type && !column.type.array && orderedCodes.has(column.type.code)) return [];
  return [['guard', `${column.typeText} has no order`, 'Guard by a number, a text, a date or a timestamp']];
}

function checkAggregate({ pipeline, target, table }: Fit): Problem[] {
  const { aggregate } = target;
  if (!aggregate) return [];
  const grouped = aggregate.groupBy.flatMap((source): Problem[] => {
    const column = findColumn(table, source.column);
    if (!column || isKey(table, column)) return [];
    return [
      [`groupBy.${source.column}`, `${column.name} is no key of ${table.name}`, 'Group by the table’s key columns'],
    ];
  });
  const counted = aggregate.into.flatMap((into): Problem[] => {
    const place = `aggregates.${into.column}`;
    const column = findColumn(table, into.column);
    if (!column) return [[place, `table ${table.name} has no column ${into.column}`, 'Add the column to the table']];
    const code = column.type && !column.type.array ? column.type.code : undefined;
    const fits =
      code !== undefined &&
      (into.function === 'count'
        ? code === 'INT64'
        : into.function === 'sum'
          ? SUMMED.has(code)
          : orderedCodes.has(code));
    return fits ? [] : [[place, `${column.typeText} cannot hold a ${into.function}`, 'Change the column’s type']];
  });
  const fields = aggregate.into.some(({ field }) => field !== undefined) && pipeline.format.kind === 'bytes';
  const noFields: Problem[] = fields ? [['format', 'format bytes has no fields to aggregate', 'Use format: json']] : [];
  return [...grouped, ...counted, ...noFields];
}
