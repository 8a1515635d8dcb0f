import type { ExistingRoles, Privilege } from '../../model/grants/grant-statements.ts';
import type { DatabaseColumns } from '../../model/grants/query-uses.ts';
import type { SpannerChannel } from './channel.ts';
import { type QueryRow, readSnapshot } from './read-snapshot.ts';

const DEADLINE_MS = 15_000;
const COLUMNS = `
  SELECT c.TABLE_NAME AS tableName, c.COLUMN_NAME AS name
  FROM INFORMATION_SCHEMA.COLUMNS AS c
  WHERE c.TABLE_CATALOG = '' AND c.TABLE_SCHEMA = ''
  ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION`;
const ROLES = 'SELECT r.ROLE_NAME AS role FROM INFORMATION_SCHEMA.ROLES AS r';
const MEMBERS = 'SELECT g.ROLE_NAME AS inherits, g.GRANTEE AS role FROM INFORMATION_SCHEMA.ROLE_GRANTEES AS g';
const WHOLE = `
  SELECT p.GRANTEE AS role, p.TABLE_NAME AS tableName, p.PRIVILEGE_TYPE AS privilege
  FROM INFORMATION_SCHEMA.TABLE_PRIVILEGES AS p WHERE p.TABLE_SCHEMA = ''`;
const NAMED = `
  SELECT p.GRANTEE AS role, p.TABLE_NAME AS tableName, p.PRIVILEGE_TYPE AS privilege, p.COLUMN_NAME AS name
  FROM INFORMATION_SCHEMA.COLUMN_PRIVILEGES AS p WHERE p.TABLE_SCHEMA = ''`;

/** The columns of every table of the database, as they are spelled. */
export function readDatabaseColumns(channel: SpannerChannel): Promise<DatabaseColumns> {
  const call = { attempted: 'read the columns of the tables', table: 'INFORMATION_SCHEMA', deadlineMs: DEADLINE_MS };
  return readSnapshot(channel, call, async (query) => {
    const byTable = Map.groupBy(await query(COLUMNS, {}), (row) => textOf(row, 'tableName'));
    return new Map([...byTable].map(([table, rows]) => [table, rows.map((row) => textOf(row, 'name'))]));
  });
}

/** The database's roles, whom they inherit from, and their privileges on tables and columns. */
export function readRoles(channel: SpannerChannel): Promise<ExistingRoles> {
  const call = { attempted: 'read the database roles', table: 'INFORMATION_SCHEMA', deadlineMs: DEADLINE_MS };
  return readSnapshot(channel, call, async (query) => {
    const roles = new Set((await query(ROLES, {})).map((row) => textOf(row, 'role')));
    const members = (await query(MEMBERS, {})).map((row) => ({
      role: textOf(row, 'role'),
      inherits: textOf(row, 'inherits'),
    }));
    const whole = (await query(WHOLE, {})).map((row) => ({ ...privilegeOf(row), column: undefined }));
    const isWhole = new Set(whole.map(nameOf));
    // The view tells of every column of a table that is granted as a whole.
    const named = (await query(NAMED, {}))
      .map((row) => ({ ...privilegeOf(row), column: textOf(row, 'name') }))
      .filter((one) => !isWhole.has(nameOf(one)));
    return { roles, members, privileges: [...whole, ...named] };
  });
}

function privilegeOf(row: QueryRow): { role: string; table: string; privilege: Privilege } {
  const privilege = (['SELECT', 'INSERT', 'UPDATE', 'DELETE'] as const).find((one) => one === textOf(row, 'privilege'));
  return { role: textOf(row, 'role'), table: textOf(row, 'tableName'), privilege: privilege ?? 'SELECT' };
}

function nameOf({ role, table, privilege }: { role: string; table: string; privilege: Privilege }): string {
  return JSON.stringify([role, table, privilege]);
}

function textOf(row: QueryRow, field: string): string {
  return String(row[field] ?? '');
}
