import { PoisonError, shown } from '../records/poison.ts';
import type { Cell } from '../values/cell.ts';
import { compareCells } from '../values/compare-cells.ts';
import { keyText } from '../values/key-text.ts';
import type { Change, Row } from './change.ts';
import type { RowPlace, RowStates } from './row-states.ts';
import { keyCells, type StoredRow } from './stored-rows.ts';
import type { FamilyOperations, WriteKind } from './table-operations.ts';
import type { TableWriter, WrittenTable } from './written-tables.ts';

/** Where a change goes. */
export interface ChangePlace {
  readonly written: WrittenTable;
  readonly writer: TableWriter;
}

/** What is known and gathered of one family of tables. */
export interface FamilyBatch {
  readonly states: RowStates;
  readonly operations: FamilyOperations;
}

type RowChange = Exclude<Change, { kind: 'none' } | { kind: 'poison' }>;
type Write = Extract<RowChange, { kind: 'write' | 'encoded' }>;
type Add = Extract<RowChange, { kind: 'add' }>;
type Delete = Extract<RowChange, { kind: 'delete' }>;

/**
 * Decides one change by what the table holds after all changes before it, and hands on what the database must do.
 *
 * A guarded change happens only when its version grows: an equal or older one is skipped in every mode, before the mode's
 * own policy is asked. A null version is older than every other; a deletion without a version always happens.
 *
 * @returns a `PoisonError` for a record that must be set aside
 */
export function takeChange(
  batch: FamilyBatch,
  place: ChangePlace,
  change: RowChange,
): 'taken' | 'skipped' | PoisonError {
  batch.states.next();
  const at = rowPlace(place, change);
  if (change.kind === 'delete') return remove(batch, place, at, change);
  return change.kind === 'add' ? add(batch, place, at, change) : write(batch, place, at, change);
}

function rowPlace({ written }: ChangePlace, change: RowChange): RowPlace {
  if (change.kind !== 'encoded') return { written, text: change.key.text, key: () => change.key.cells };
  return { written, text: change.keyText, key: () => keyCells(written, change.keyText) };
}

function write({ states, operations }: FamilyBatch, { written, writer }: ChangePlace, at: RowPlace, change: Write) {
  const { mode } = writer.target.target;
  const row = change.kind === 'write' ? placed(written, writer, change.row) : undefined;
  if (written.writers.some(({ readsFirst }) => readsFirst)) {
    const state = states.of(at);
    const refusal = writer.readsFirst ? refusalOf(writer, at, state, row?.[written.guardAt] ?? null) : undefined;
    if (refusal) return refusal;
    states.bury(at, state, undefined);
    const kept = mode === 'replace' || !state.isPresent ? undefined : state.cells;
    states.set(at, { isPresent: true, cells: trackedCells(written, row ?? [], kept) });
  }
  if (mode === 'replace') states.remove(at);
  const operation = writeKind(mode);
  const item = change.kind === 'encoded' ? { encoded: change, writer } : { row: row ?? [] };
  operations.push(at, { operation, ...item });
  return 'taken';
}

function remove({ states, operations }: FamilyBatch, { written, writer }: ChangePlace, at: RowPlace, change: Delete) {
  const { version, key } = change;
  const isGuarded = writer.target.guardAt >= 0;
  const state = states.of(at);
  if (isGuarded && version !== undefined && !grows(written, state, version)) return 'skipped';
  if (isGuarded) states.bury(at, state, version);
  states.set(at, { isPresent: false, cells: isGuarded && version !== undefined ? [version] : undefined });
  states.remove(at);
  operations.push(at, { operation: 'delete', key });
  return 'taken';
}

function add({ states, operations }: FamilyBatch, place: ChangePlace, at: RowPlace, change: Add) {
  try {
    const row = grownGroup(place, states.of(at), change);
    states.set(at, { isPresent: true, cells: trackedCells(place.written, row, undefined) });
    operations.push(at, { operation: 'upsert', row });
    return 'taken';
  } catch (error) {
    if (error instanceof PoisonError) return error;
    throw error;
  }
}

function writeKind(mode: TableWriter['target']['target']['mode']): WriteKind {
  return mode === 'insert' || mode === 'update' || mode === 'replace' ? mode : 'upsert';
}

/** A target's row as a row of the table, which other targets write as well. */
function placed({ columns }: WrittenTable, { columnsAt }: TableWriter, row: Row): Row {
  if (columnsAt.length === columns.length && columnsAt.every((place, at) => place === at)) return row;
  const all: (Cell | undefined)[] = new Array(columns.length).fill(undefined);
  for (const [at, place] of columnsAt.entries()) all[place] = row[at];
  return all;
}

/** @param before what the row held; undefined for a row that begins anew */
function trackedCells({ tracked }: WrittenTable, row: Row, before: readonly Cell[] | undefined): readonly Cell[] {
  return tracked.map((place, at) => {
    const cell = row[place];
    return cell === undefined ? (before?.[at] ?? null) : cell;
  });
}

/** Why a write does not happen; undefined when it does. */
function refusalOf(
  { target: { target, guardAt } }: TableWriter,
  { written, key }: RowPlace,
  state: StoredRow,
  version: Cell,
): 'skipped' | PoisonError | undefined {
  if (guardAt >= 0 && !grows(written, state, version)) return 'skipped';
  const row = (): string => `row ${shown(keyText(key()))} of table ${written.table.name}`;
  if (target.mode === 'insert' && state.isPresent) {
    if (target.onExists === 'skip') return 'skipped';
    return new PoisonError('conflict', `Mode insert: ${row()} exists already`);
  }
  if (target.mode === 'update' && !state.isPresent) {
    if (target.onMissing === 'skip') return 'skipped';
    return new PoisonError('conflict', `Mode update: there is no ${row()}`);
  }
  return undefined;
}

/** Whether a version is above the one held; a row whose version is not known takes any. */
function grows({ columns, guardAt, tracked }: WrittenTable, { cells }: StoredRow, version: Cell): boolean {
  if (cells === undefined) return true;
  const held = cells[cells.length === 1 ? 0 : tracked.indexOf(guardAt)] ?? null;
  return compareCells(columns[guardAt]?.type?.code ?? 'INT64', version, held) > 0;
}

/** A group's row after one more record. */
function grownGroup({ written, writer }: ChangePlace, state: StoredRow, { key, inputs }: Add): Row {
  const { columns, tracked, keyAt } = written;
  const row: (Cell | undefined)[] = new Array(columns.length).fill(undefined);
  for (const [at, place] of keyAt.entries()) row[place] = key.cells[at];
  if (state.isPresent) for (const [at, place] of tracked.entries()) row[place] = state.cells?.[at] ?? null;
  else for (const other of written.writers) beginCounters(row, other);
  const held = state.isPresent ? writer.countersAt.map((place) => row[place]) : undefined;
  const cells = writer.target.aggregate?.add(held, inputs) ?? [];
  for (const [at, place] of writer.countersAt.entries()) row[place] = cells[at];
  return row;
}

/** What other routes count in a new group begins with nothing counted. */
function beginCounters(row: (Cell | undefined)[], { target, countersAt }: TableWriter): void {
  for (const [at, place] of countersAt.entries()) row[place] = target.aggregate?.empty[at];
}
