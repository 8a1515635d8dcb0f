import { maxKeyBytes } from '../../base/limits.ts';
import type { Pipeline, Target } from '../config/declaration.ts';
import type { DecodedRecord } from '../formats/record-decoder.ts';
import type { SchemaBook } from '../formats/schema-book.ts';
import { cellChange, hashBucket } from './made-cells.ts';
import type { OpenedRecord } from './records/opened-record.ts';
import { PoisonError } from './records/poison.ts';
import { needsDocument, type ReadSource, sourceReader } from './records/read-source.ts';
import { type AggregatePlan, planAggregate } from './resolve/aggregate.ts';
import type { Change, RowKey } from './resolve/change.ts';
import { type StraightMapper, straightMapper } from './straight/straight-rows.ts';
import { findColumn, type PlannedColumn, planColumns } from './tables/column-plan.ts';
import type { TableColumn, TableSchema } from './tables/table-schema.ts';
import type { Cell } from './values/cell.ts';
import { type ColumnReader, columnReader } from './values/convert.ts';
import { keyText } from './values/key-text.ts';

/** One target of a pipeline made ready for one version of its table. */
export interface CompiledTarget {
  readonly target: Target;
  readonly table: TableSchema;
  /** The columns of a `Row`, in order. */
  readonly columns: readonly TableColumn[];
  /** Where the guard stands among `columns`; -1 without a guard. */
  readonly guardAt: number;
  /** Present exactly in mode `aggregate`. */
  readonly aggregate: AggregatePlan | undefined;
  /**
   * What a record asks of the table.
   *
   * @throws {PoisonError} for a record that cannot become a row
   */
  readonly map: (opened: OpenedRecord) => Change;
  /** Maps plain records without making values of them; undefined where no record is plain. */
  readonly straight: StraightMapper | undefined;
}

/** The modes that need nothing of a row but its bytes and its key. */
const PLAIN_MODES: ReadonlySet<Target['mode']> = new Set(['insert', 'update', 'upsert', 'replace']);

interface CompiledColumn {
  readonly column: TableColumn;
  readonly read: ReadSource;
  readonly optional: boolean;
  readonly inDocument: boolean;
  /** Present for a bucket that is made of other columns, by their places. */
  readonly hash: { readonly of: readonly number[]; readonly buckets: number } | undefined;
}

/**
 * Compiles one target.
 *
 * @param table the table as the database has it; check it with `checkPipeline` before
 * @param schemas the registered schemas, for formats that need them
 * @throws {RangeError} for patterns, zones or types that `checkPipeline` would have named
 */
export function compileTarget(
  pipeline: Pipeline,
  target: Target,
  table: TableSchema,
  schemas: SchemaBook,
): CompiledTarget {
  const planned = planColumns(target, table).filter(
    ({ column }) => target.mode !== 'aggregate' || table.primaryKey.includes(column.name),
  );
  const compiled = planned.map((one) => compileColumn(one, planned));
  const columns = planned.map(({ column }) => column);
  const keyAt = table.primaryKey.map((name) => columns.findIndex((column) => column.name === name));
  const guardColumn = target.guard === undefined ? undefined : findColumn(table, target.guard);
  const guardAt = guardColumn === undefined ? -1 : columns.indexOf(guardColumn);
  const aggregate = target.aggregate && planAggregate(target.aggregate, table);
  const isUnordered = pipeline.source.kind === 'pubsub';
  const keyReads = keyAt.flatMap((at) => [at, ...(compiled[at]?.hash?.of ?? [])]);
  const isAfterDelete = pipeline.format.kind === 'debezium';
  const plan: MappingPlan = { target, isUnordered, isAfterDelete, compiled, keyAt, keyReads, guardAt, aggregate };
  const map = (opened: OpenedRecord): Change =>
    opened.value ? mapValue(plan, opened, opened.value) : mapTombstone(plan, opened);
  const isPlain = PLAIN_MODES.has(target.mode);
  const straight = isPlain ? straightMapper({ pipeline, target, planned, keyAt, schemas }) : undefined;
  return { target, table, columns, guardAt, aggregate, map, straight };
}

interface MappingPlan {
  readonly target: Target;
  /** Records of a subscription come in any order. */
  readonly isUnordered: boolean;
  /** Tombstones only repeat the delete before them, which named the row. */
  readonly isAfterDelete: boolean;
  readonly compiled: readonly CompiledColumn[];
  readonly keyAt: readonly number[];
  /** What must be read to know the key. */
  readonly keyReads: readonly number[];
  readonly guardAt: number;
  readonly aggregate: AggregatePlan | undefined;
}

function compileColumn({ column, source, optional }: PlannedColumn, planned: readonly PlannedColumn[]): CompiledColumn {
  if (source === 'commit-timestamp') {
    const reader = columnReader(column, { format: undefined, zone: undefined });
    const cell = reader.fromText('spanner.commit_timestamp()');
    return { column, read: () => cell, optional, inDocument: false, hash: undefined };
  }
  const { from } = source;
  if (from.kind === 'hash') {
    const of = from.of.map((name) => placeOf(name, planned));
    return { column, read: () => undefined, optional, inDocument: false, hash: { of, buckets: from.buckets } };
  }
  const reader: ColumnReader = columnReader(column, source);
  const read = changed(sourceReader(from, reader), cellChange(source));
  return { column, read, optional, inDocument: needsDocument(from), hash: undefined };
}

function changed(read: ReadSource, change: ((cell: Cell) => Cell) | undefined): ReadSource {
  if (!change) return read;
  return (opened) => {
    const cell = read(opened);
    return cell === null || cell === undefined ? cell : change(cell);
  };
}

function placeOf(name: string, planned: readonly PlannedColumn[]): number {
  const wanted = name.toLowerCase();
  const at = planned.findIndex(({ column }) => column.name.toLowerCase() === wanted);
  if (at < 0) throw new RangeError(`No column ${name} is written`);
  return at;
}

function mapTombstone(plan: MappingPlan, opened: OpenedRecord): Change {
  const { target } = plan;
  if (target.tombstones === 'set-aside') {
    throw new PoisonError('unmappable', 'The record is a tombstone, and the pipeline sets tombstones aside');
  }
  if (target.tombstones === 'ignore' || target.mode === 'aggregate') return { kind: 'none' };
  if (plan.isAfterDelete && keyFromField(plan)) return { kind: 'none' };
  refuseFieldKeys(plan);
  const row = readRow(plan, opened, plan.keyReads);
  const version = plan.guardAt < 0 ? undefined : readVersion(plan, opened);
  if (plan.guardAt >= 0 && version === undefined && plan.isUnordered) {
    throw new PoisonError(
      'unmappable',
      `The tombstone carries no ${target.guard}, and messages of a subscription come in any order`,
    );
  }
  return { kind: 'delete', key: keyOf(plan, row), version };
}

/** A tombstone has no fields: a key of them would be the key of another row. */
function refuseFieldKeys(plan: MappingPlan): void {
  const part = keyFromField(plan);
  if (!part) return;
  const reason = `The record is a tombstone, and column ${part.column.name}, on which its key stands, comes from a field`;
  throw new PoisonError('unmappable', reason);
}

function keyFromField({ compiled, keyReads }: MappingPlan): CompiledColumn | undefined {
  return keyReads.map((at) => compiled[at]).find((one) => one?.inDocument);
}

function readVersion(plan: MappingPlan, opened: OpenedRecord): Cell | undefined {
  const guard = plan.compiled[plan.guardAt];
  return guard?.inDocument ? undefined : guard?.read(opened);
}

function mapValue(plan: MappingPlan, opened: OpenedRecord, { document, isDeletion }: DecodedRecord): Change {
  const { mode, tombstones } = plan.target;
  if (isDeletion && tombstones !== 'delete') return mapTombstone(plan, opened);
  if (mode === 'delete' || (isDeletion && mode !== 'aggregate')) {
    const row = readRow(plan, opened, [...plan.keyReads, plan.guardAt]);
    const version = plan.guardAt < 0 ? undefined : (row[plan.guardAt] ?? null);
    return { kind: 'delete', key: keyOf(plan, row), version };
  }
  if (isDeletion) return { kind: 'none' };
  const row = readRow(plan, opened, undefined);
  const key = keyOf(plan, row);
  if (!plan.aggregate) return { kind: 'write', key, row };
  return { kind: 'add', key, inputs: plan.aggregate.readInputs(document) };
}

/** @param only places to read; all when undefined */
function readRow(plan: MappingPlan, opened: OpenedRecord, only: readonly number[] | undefined): (Cell | undefined)[] {
  const { compiled } = plan;
  const row: (Cell | undefined)[] = new Array(compiled.length).fill(undefined);
  for (let at = 0; at < compiled.length; at++) {
    const part = compiled[at];
    if (part === undefined || part.hash || (only !== undefined && !only.includes(at))) continue;
    const cell = part.read(opened);
    if (cell === undefined ? !part.optional : cell === null) row[at] = nullCell(part, cell === undefined);
    else row[at] = cell;
  }
  for (let at = 0; at < compiled.length; at++) {
    const hash = compiled[at]?.hash;
    if (hash && (only === undefined || only.includes(at))) {
      row[at] = hashBucket(
        hash.of.map((place) => row[place]),
        hash.buckets,
      );
    }
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
