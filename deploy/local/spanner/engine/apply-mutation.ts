import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { ChangeLog } from '../storage/change-log.ts';
import { rowKey, type Stores, type TableStore, tableStore } from '../storage/stores.ts';
import type { Cell } from '../values.ts';
import type { DefaultSource } from './defaults.ts';
import { deleteRow, requireParent } from './interleaving.ts';
import { keyRanges } from './key-ranges.ts';
import { printKey } from './print-key.ts';
import type { RowRules } from './row-rules.ts';
import type { WireMutation, WireWrite } from './wire-mutation.ts';
import { checkKeySize, checkNotNull, newRow, type RowWriter, rowWriter, writeCells } from './write-cells.ts';

/** What applying mutations needs to know of their commit. */
export interface Application {
  readonly stores: Stores;
  readonly log: ChangeLog<TableStore>;
  readonly defaults: DefaultSource;
  readonly rules: RowRules;
}

type WriteKind = 'insert' | 'update' | 'insertOrUpdate' | 'replace';

const WRITE_KINDS: readonly WriteKind[] = ['insert', 'update', 'insertOrUpdate', 'replace'];

/**
 * Applies one mutation on top of those before it.
 *
 * @returns how many mutations it counts, index entries apart
 */
export function applyMutation(mutation: WireMutation, application: Application): number {
  if (mutation.delete) return applyDelete(mutation.delete, application);
  for (const kind of WRITE_KINDS) {
    const write = mutation[kind];
    if (write) return applyWrite(kind, write, application);
  }
  if (mutation.send || mutation.ack) {
    throw new RpcError(status.UNIMPLEMENTED, "Queues (send and ack mutations) are not part of the laptop's Spanner.");
  }
  throw new RpcError(
    status.INVALID_ARGUMENT,
    'A mutation must be one of insert, update, insert_or_update, replace, delete.',
  );
}

function applyWrite(kind: WriteKind, write: WireWrite, application: Application): number {
  const store = tableStore(application.stores, write.table ?? '');
  const writer = rowWriter(store, write.columns ?? [], {
    timestamp: application.log.timestamp,
    isUpdate: kind === 'update',
  });
  const lists = write.values ?? [];
  for (const list of lists) {
    const given = writeCells(writer, list.values ?? []);
    applyRow(kind, writer, given, application);
  }
  return lists.length * writer.places.length;
}

function applyRow(kind: WriteKind, writer: RowWriter, given: readonly Cell[], application: Application): void {
  const { log, defaults, rules } = application;
  const { store } = writer;
  const fresh = newRow(writer, given);
  const keyDefaults = writer.missingKeyDefaults;
  for (const place of keyDefaults) fresh[place] = defaults(store, place, log.timestamp);
  // A row whose key is not known yet is left out: the commit will be tried again.
  if (!rules.fillKey(writer, fresh, kind === 'update')) return;
  const key = rowKey(store, fresh);
  checkKeySize(store.table.name, key);
  const existing = log.get(store, key);
  if (existing ? kind === 'insert' : kind === 'update') throw rowError(kind, store, fresh);
  if (existing && kind !== 'replace') {
    const row = merged(existing, writer, given);
    rules.requireSameKey(store, row);
    log.put(store, key, row);
    return;
  }
  if (existing) deleteRow(log, store, key);
  for (const place of writer.missingDefaults) {
    if (!keyDefaults.includes(place)) fresh[place] = defaults(store, place, log.timestamp);
  }
  checkNotNull(store, fresh);
  requireParent(log, store, fresh);
  log.put(store, key, fresh);
}

/** A cell that stays the same is kept, and so is a row: its versions would hold a copy each. */
function merged(existing: readonly Cell[], { places, store }: RowWriter, given: readonly Cell[]): readonly Cell[] {
  let row: Cell[] | undefined;
  for (let i = 0; i < places.length; i++) {
    const place = places[i] ?? -1;
    const cell = given[i] ?? null;
    if (Object.is((row ?? existing)[place], cell)) continue;
    row ??= fullRow(existing, store);
    row[place] = cell;
  }
  return row ?? existing;
}

/** A row from before ADD COLUMN is shorter than its table. */
function fullRow(existing: readonly Cell[], { table }: TableStore): Cell[] {
  const row = [...existing];
  while (row.length < table.columns.length) row.push(null);
  return row;
}

function applyDelete(deletion: NonNullable<WireMutation['delete']>, application: Application): number {
  const { log, stores } = application;
  const store = tableStore(stores, deletion.table ?? '');
  const keySet = deletion.keySet ?? {};
  for (const { from, to } of keyRanges(keySet, store.key)) {
    for (const [key, head] of store.rows.range(from, to)) if (head.cells) deleteRow(log, store, key);
  }
  return (keySet.keys?.length ?? 0) + (keySet.ranges?.length ?? 0) + (keySet.all ? 1 : 0);
}

function rowError(kind: WriteKind, store: TableStore, cells: readonly Cell[]): RpcError {
  const row = `Row ${printKey(store, cells)} in table ${store.table.name}`;
  return kind === 'insert'
    ? new RpcError(status.ALREADY_EXISTS, `${row} already exists`)
    : new RpcError(status.NOT_FOUND, `${row} is missing. Row cannot be updated.`);
}
