import { createHash } from 'node:crypto';
import { type Cell, commitTimestampCell } from '../values/cell.ts';
import type { RowKey, TableMutation } from './change.ts';
import type { StoredRow } from './stored-rows.ts';
import type { WrittenTable } from './written-tables.ts';

/** The table that remembers by which version a guarded row was deleted: an older write must not bring it back. */
export const deletedVersionsTable = 'PenstockDeletedVersions';
export const deletedVersionsColumns = ['TableName', 'KeyHash', 'GuardColumn', 'Version'] as const;

/** A deleted row's version to remember; undefined to forget it. */
export interface Burial {
  readonly written: WrittenTable;
  readonly key: RowKey;
  readonly version: Cell | undefined;
}

/** The primary key under which a row's deletion is remembered. */
export function burialKey({ table }: WrittenTable, { text }: RowKey): readonly [string, string] {
  return [table.name, createHash('sha256').update(text).digest('base64')];
}

/** What the remembered cells say of a row that is not there; undefined where they speak of another guard. */
export function buriedRow({ columns, guardAt }: WrittenTable, guard: Cell, version: Cell): StoredRow | undefined {
  if (guard !== columns[guardAt]?.name || typeof version !== 'string') return undefined;
  const cell: unknown = JSON.parse(version);
  const isCell = cell === null || typeof cell === 'string' || typeof cell === 'number';
  return isCell ? { isPresent: false, cells: [cell] } : undefined;
}

/** What to remember and what to forget. */
export function burialMutations(burials: readonly Burial[]): readonly TableMutation[] {
  const kept = burials.filter(({ version }) => version !== undefined);
  const gone = burials.filter(({ version }) => version === undefined);
  const mutations: TableMutation[] = [];
  if (kept.length > 0) {
    const columns = [...deletedVersionsColumns, 'DeletedAt'];
    mutations.push({ operation: 'upsert', table: deletedVersionsTable, columns, rows: kept.map(burialRow) });
  }
  if (gone.length > 0) {
    const keys = gone.map(({ written, key }) => burialKey(written, key));
    mutations.push({ operation: 'delete', table: deletedVersionsTable, keys });
  }
  return mutations;
}

function burialRow({ written, key, version }: Burial): Cell[] {
  const guard = written.columns[written.guardAt]?.name ?? '';
  return [...burialKey(written, key), guard, JSON.stringify(version ?? null), commitTimestampCell];
}
