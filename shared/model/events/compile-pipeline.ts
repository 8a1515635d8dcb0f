import { maxKeyBytes } from '../../base/limits.ts';
import type { Pipeline } from '../config/declaration.ts';
import { type AggregatePlan, planAggregate } from './aggregate.ts';
import type { Cell } from './cell.ts';
import type { Change, RowKey } from './change.ts';
import { findColumn, type PlannedColumn, planColumns } from './column-plan.ts';
import { type ColumnReader, columnReader } from './convert.ts';
import { type JsonValue, parseExactJson } from './exact-json.ts';
import { PoisonError } from './poison.ts';
import type { RawRecord } from './raw-record.ts';
import { needsDocument, type ReadSource, sourceReader } from './read-source.ts';
import type { TableColumn, TableSchema } from './table-schema.ts';

/** A pipeline made ready for one version of its table. */
export interface CompiledPipeline {
  readonly pipeline: Pipeline;
  readonly table: TableSchema;
  /** The columns of a `Row`, in order. */
  readonly columns: readonly TableColumn[];
  /** Where the guard stands among `columns`; -1 without a guard. */
  readonly guardAt: number;
  /** Present exactly in mode `aggregate`. */
  readonly aggregate: AggregatePlan | undefined;
  /** What a record asks of the table. Never throws for a record, whatever it holds. */
  readonly map: (record: RawRecord) => Change;
}

interface CompiledColumn {
  readonly column: TableColumn;
  readonly read: ReadSource;
  readonly optional: boolean;
  readonly inDocument: boolean;
}

/**
 * Compiles a pipeline once into a mapping of records to changes of its table.
 *
 * @param table the table as the database has it; check it with `checkTable` before
 * @throws {RangeError} for patterns, zones or types that `checkTable` would have named
 */
export function compilePipeline(pipeline: Pipeline, table: TableSchema): CompiledPipeline {
  const planned = planColumns(pipeline, table).filter(
    ({ column }) => pipeline.mode !== 'aggregate' || table.primaryKey.includes(column.name),
  );
  const compiled = planned.map(compileColumn);
  const columns = planned.map(({ column }) => column);
  const keyAt = table.primaryKey.map((name) => columns.findIndex((column) => column.name === name));
  const guardColumn = pipeline.guard === undefined ? undefined : findColumn(table, pipeline.guard);
  const guardAt = guardColumn === undefined ? -1 : columns.indexOf(guardColumn);
  const aggregate = pipeline.aggregate && planAggregate(pipeline.aggregate, table);
  const plan: MappingPlan = { pipeline, compiled, keyAt, guardAt, aggregate, decode: decoderOf(pipeline) };
  return { pipeline, table, columns, guardAt, aggregate, map: (record) => mapSafely(plan, record) };
}

interface MappingPlan {
  readonly pipeline: Pipeline;
  readonly compiled: readonly CompiledColumn[];
  readonly keyAt: readonly number[];
  readonly guardAt: number;
  readonly aggregate: AggregatePlan | undefined;
  readonly decode: (value: Buffer) => JsonValue | undefined;
}

function compileColumn({ column, source, optional }: PlannedColumn): CompiledColumn {
  if (source === 'commit-timestamp') {
    const reader = columnReader(column, { format: undefined, zone: undefined });
    const cell = reader.fromText('spanner.commit_timestamp()');
    return { column, read: () => cell, optional, inDocument: false };
  }
  const reader: ColumnReader = columnReader(column, source);
  const read = sourceReader(source.from, reader);
  return { column, read, optional, inDocument: needsDocument(source.from) };
}

/** The format's decoder; `bytes` has no fields to decode. */
function decoderOf({ format }: Pipeline): (value: Buffer) => JsonValue | undefined {
  return format === 'json' ? parseExactJson : () => undefined;
}

function mapSafely(plan: MappingPlan, record: RawRecord): Change {
  try {
    return record.value === null ? mapTombstone(plan, record) : mapValue(plan, record, record.value);
  } catch (error) {
    if (error instanceof PoisonError) return { kind: 'poison', poison: error.poison, reason: error.message };
    if (error instanceof RangeError) {
      return { kind: 'poison', poison: 'unmappable', reason: `The value is nested too deeply: ${error.message}` };
    }
    throw error;
  }
}

function mapTombstone(plan: MappingPlan, record: RawRecord): Change {
  const { pipeline } = plan;
  if (pipeline.tombstones === 'set-aside') {
    throw new PoisonError('unmappable', 'The record is a tombstone, and the pipeline sets tombstones aside');
  }
  if (pipeline.tombstones === 'ignore' || pipeline.mode === 'aggregate') return { kind: 'none' };
  const row = readRow(plan, record, undefined, plan.keyAt);
  const version = plan.guardAt < 0 ? undefined : readVersion(plan, record);
  if (plan.guardAt >= 0 && version === undefined && pipeline.source.kind === 'pubsub') {
    throw new PoisonError(
      'unmappable',
      `The tombstone carries no ${pipeline.guard}, and messages of a subscription come in any order`,
    );
  }
  return { kind: 'delete', key: keyOf(plan, row), version };
}

function readVersion(plan: MappingPlan, record: RawRecord): Cell | undefined {
  const guard = plan.compiled[plan.guardAt];
  return guard?.inDocument ? undefined : guard?.read(record, undefined);
}

function mapValue(plan: MappingPlan, record: RawRecord, value: Buffer): Change {
  const document = plan.decode(value);
  const { mode } = plan.pipeline;
  if (mode === 'delete') {
    const row = readRow(plan, record, document, [...plan.keyAt, plan.guardAt]);
    const version = plan.guardAt < 0 ? undefined : (row[plan.guardAt] ?? null);
    return { kind: 'delete', key: keyOf(plan, row), version };
  }
  const row = readRow(plan, record, document, undefined);
  const key = keyOf(plan, row);
  if (!plan.aggregate) return { kind: 'write', key, row };
  return { kind: 'add', key, inputs: plan.aggregate.readInputs(document) };
}

/** @param only places to read; all when undefined */
function readRow(
  plan: MappingPlan,
  record: RawRecord,
  document: JsonValue | undefined,
  only: readonly number[] | undefined,
): (Cell | undefined)[] {
  const { compiled } = plan;
  const row: (Cell | undefined)[] = new Array(compiled.length).fill(undefined);
  for (let at = 0; at < compiled.length; at++) {
    const part = compiled[at];
    if (part === undefined || (only !== undefined && !only.includes(at))) continue;
    const cell = part.read(record, document);
    if (cell === undefined ? !part.optional : cell === null) row[at] = nullCell(part, cell === undefined);
    else row[at] = cell;
  }
  return row;
}

function nullCell({ column }: CompiledColumn, missing: boolean): Cell {
  if (!column.notNull) return null;
  const what = missing ? 'the record has nothing for it' : 'its value is null';
  throw new PoisonError('unmappable', `Column ${column.name} is NOT NULL, and ${what}`);
}

function keyOf({ compiled, keyAt }: MappingPlan, row: readonly (Cell | undefined)[]): RowKey {
  const cells: Cell[] = [];
  let bytes = 0;
  for (const at of keyAt) {
    const cell = row[at] ?? null;
    cells.push(cell);
    bytes += typeof cell === 'string' ? Buffer.byteLength(cell) : 8;
  }
  if (bytes > maxKeyBytes) {
    const names = keyAt.map((at) => compiled[at]?.column.name).join(', ');
    throw new PoisonError('too-large', `The key (${names}) has ${bytes} bytes, over Spanner's ${maxKeyBytes}`);
  }
  return { cells, text: keyText(cells) };
}

/** Equal exactly for equal keys: cells are canonical in every type that a key may have. */
export function keyText(cells: readonly Cell[]): string {
  const only = cells[0];
  return cells.length === 1 && typeof only === 'string' ? only : JSON.stringify(cells);
}
