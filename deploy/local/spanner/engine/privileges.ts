import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { rolesOf } from '../ddl/roles.ts';
import { INFO_READER, systemRoles } from '../ddl/system-roles.ts';
import type { Column, Privilege, Schema, Table, TableGrant } from '../schema.ts';
import type { WireMutation } from './wire-mutation.ts';

/** By table: by privilege, on all columns or on some. */
type Effective = ReadonlyMap<string, ReadonlyMap<Privilege, TableGrant>>;

const known = new WeakMap<Schema, Map<string, Effective>>();

/**
 * Refuses a read or a query of columns that the role has no SELECT on.
 *
 * @param role undefined for a session without one, which may do everything
 * @param columns none where rows are only counted: then any one column's privilege is enough
 * @throws {RpcError} PERMISSION_DENIED, worded as production does
 */
export function requireSelect(
  schema: Schema,
  role: string | undefined,
  table: Table,
  columns: readonly string[],
): void {
  if (role === undefined) return;
  const grant = effective(schema, role).get(table.name)?.get('SELECT');
  if (!grant || !covers(grant, columns)) throw denied(role, table);
}

/** Refuses mutations that the role has no privileges for; what names no table of the schema is left to the commit. */
export function requireWrites(schema: Schema, role: string | undefined, mutations: readonly WireMutation[]): void {
  if (role === undefined) return;
  for (const mutation of mutations) {
    const { insert, update, insertOrUpdate, replace } = mutation;
    const need = (written: WireMutation['insert'], privileges: readonly Privilege[]): void => {
      if (written) requireOn(schema, role, { ...written, privileges });
    };
    need(insert, ['INSERT']);
    need(update, ['UPDATE']);
    need(insertOrUpdate, ['INSERT', 'UPDATE']);
    need(replace, ['INSERT', 'DELETE']);
    if (mutation.delete) requireOn(schema, role, { table: mutation.delete.table, privileges: ['DELETE'] });
  }
}

/** @throws {RpcError} PERMISSION_DENIED for a role that the database does not have */
export function requireRole(schema: Schema, role: string | undefined): void {
  if (role === undefined || schema.roles.has(role) || systemRoles.includes(role)) return;
  throw new RpcError(status.PERMISSION_DENIED, `Role not found: ${role}.`);
}

/** The part of the schema that INFORMATION_SCHEMA shows to a role: what it has privileges on. */
export function schemaSeenBy(schema: Schema, role: string | undefined): Schema {
  if (role === undefined || rolesOf(schema, role).has(INFO_READER)) return schema;
  const grants = effective(schema, role);
  const tables = new Map<string, Table>();
  for (const [key, table] of schema.tables) {
    const granted = grants.get(table.name);
    if (!granted) continue;
    const seen = (column: Column): boolean =>
      [...granted.values()].some(({ whole, columns }) => whole || columns.has(column.name));
    tables.set(key, { ...table, columns: table.columns.filter(seen) });
  }
  const indexes = new Map([...schema.indexes].filter(([, { table }]) => tables.has(table.toLowerCase())));
  const roles = new Map([...schema.roles].filter(([name]) => rolesOf(schema, role).has(name)));
  return { ...schema, tables, indexes, roles };
}

function requireOn(
  schema: Schema,
  role: string,
  written: {
    readonly table?: string | null | undefined;
    readonly columns?: readonly string[] | null | undefined;
    readonly privileges: readonly Privilege[];
  },
): void {
  const table = schema.tables.get((written.table ?? '').toLowerCase());
  if (!table) return;
  const grants = effective(schema, role).get(table.name);
  for (const privilege of written.privileges) {
    const grant = grants?.get(privilege);
    // DELETE is of whole rows.
    const columns = privilege === 'DELETE' ? [] : (written.columns ?? []);
    if (!grant || !covers(grant, columns)) throw denied(role, table);
  }
}

function covers({ whole, columns }: TableGrant, wanted: readonly string[]): boolean {
  if (whole) return true;
  const lower = new Set([...columns].map((column) => column.toLowerCase()));
  return wanted.every((column) => lower.has(column.toLowerCase()));
}

function effective(schema: Schema, role: string): Effective {
  const roles = known.get(schema) ?? new Map<string, Effective>();
  known.set(schema, roles);
  const found = roles.get(role) ?? joined(schema, role);
  roles.set(role, found);
  return found;
}

/** The role's own grants with those of every role that it inherits from. */
function joined(schema: Schema, role: string): Effective {
  const tables = new Map<string, Map<Privilege, TableGrant>>();
  for (const name of rolesOf(schema, role)) {
    for (const [table, privileges] of schema.roles.get(name)?.grants ?? []) {
      const of = tables.get(table) ?? new Map<Privilege, TableGrant>();
      tables.set(table, of);
      for (const [privilege, { whole, columns }] of privileges) {
        const before = of.get(privilege);
        of.set(privilege, {
          whole: whole || (before?.whole ?? false),
          columns: new Set([...(before?.columns ?? []), ...columns]),
        });
      }
    }
  }
  return tables;
}

function denied(role: string, { name }: Table): RpcError {
  return new RpcError(status.PERMISSION_DENIED, `Role ${role} does not have required privileges on table ${name}.`);
}
