import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Privilege, Role, Schema, Table, TableGrant } from '../schema.ts';
import { schemaError } from './schema-error.ts';
import type { PrivilegeList, Statement } from './statement.ts';
import { grantableSystemRoles, isReservedRole, PUBLIC } from './system-roles.ts';

/** Source: https://cloud.google.com/spanner/docs/fgac-about */
const MAX_ROLES = 100;

type Grants = Extract<Statement, { kind: 'grant' | 'revoke' }>;
type RoleGrants = Extract<Statement, { kind: 'grant-role' | 'revoke-role' }>;

export function createRole(schema: Schema, name: string): Schema {
  if (isReservedRole(name)) throw schemaError(`Role name ${name} is reserved for system roles.`);
  if ([...schema.roles.keys()].some((known) => known.toLowerCase() === name.toLowerCase())) {
    throw schemaError(`Duplicate name in schema: ${name}.`);
  }
  if (schema.roles.size > MAX_ROLES) throw schemaError(`The database already has ${MAX_ROLES} roles`);
  return withRole(schema, { name, grants: new Map(), memberOf: new Set() });
}

export function dropRole(schema: Schema, name: string): Schema {
  if (isReservedRole(name)) throw schemaError(`Cannot drop role ${name}: it is a system role.`);
  const role = findRole(schema, name);
  if (role.grants.size > 0) {
    const tables = [...role.grants.keys()].join(', ');
    throw schemaError(`Cannot drop role ${name}: it has privileges on ${tables}. Revoke them first.`);
  }
  const roles = new Map<string, Role>();
  for (const other of schema.roles.values()) {
    if (other === role) continue;
    const memberOf = new Set([...other.memberOf].filter((parent) => parent !== name));
    roles.set(other.name, { ...other, memberOf });
  }
  return { ...schema, roles };
}

/** Grants or revokes privileges on tables, all of the statement or nothing. */
export function changeGrants(schema: Schema, { kind, privileges, tables, roles }: Grants): Schema {
  let changed = schema;
  for (const tableName of tables) {
    const table = exactTable(schema, tableName);
    for (const { privilege, columns } of privileges) checkColumns(table, privilege, columns);
    for (const roleName of roles) {
      if (grantableSystemRoles.has(roleName)) throw schemaError(`Cannot grant privileges to system role ${roleName}.`);
      const role = findRole(changed, roleName);
      const grants = new Map(role.grants);
      const left = changedGrants(grants.get(table.name) ?? new Map(), kind, privileges);
      if (left.size > 0) grants.set(table.name, left);
      else grants.delete(table.name);
      changed = withRole(changed, { ...role, grants });
    }
  }
  return changed;
}

export function changeMembers(schema: Schema, { kind, granted, roles }: RoleGrants): Schema {
  let changed = schema;
  for (const parent of granted) {
    if (parent === PUBLIC) throw schemaError(`Cannot grant membership in role ${PUBLIC}: every role has it.`);
    if (!grantableSystemRoles.has(parent)) findRole(schema, parent);
    for (const name of roles) {
      if (isReservedRole(name)) throw schemaError(`System role ${name} cannot be a member of another role.`);
      const role = findRole(changed, name);
      const memberOf = new Set(role.memberOf);
      if (kind === 'revoke-role') memberOf.delete(parent);
      else if (inheritsFrom(changed, parent, name))
        throw schemaError(`Role ${parent} is a member of role ${name} already.`);
      else memberOf.add(parent);
      changed = withRole(changed, { ...role, memberOf });
    }
  }
  return changed;
}

/** The role, and all whose privileges it has. */
export function rolesOf(schema: Schema, name: string): Set<string> {
  const found = new Set<string>([PUBLIC]);
  const visit = (role: string): void => {
    if (found.has(role)) return;
    found.add(role);
    for (const parent of schema.roles.get(role)?.memberOf ?? []) visit(parent);
  };
  visit(name);
  return found;
}

/** Refuses to drop what somebody has privileges on. */
export function refuseGranted(schema: Schema, table: Table, column?: string): void {
  for (const { name, grants } of schema.roles.values()) {
    const grant = grants.get(table.name);
    if (!grant) continue;
    const named = column === undefined || [...grant.values()].some(({ columns }) => columns.has(column));
    const what = column === undefined ? `table ${table.name}` : `column ${table.name}.${column}`;
    if (named) throw schemaError(`Cannot drop ${what}: role ${name} has privileges on it. Revoke them first.`);
  }
}

function changedGrants(
  grants: ReadonlyMap<Privilege, TableGrant>,
  kind: 'grant' | 'revoke',
  privileges: readonly PrivilegeList[],
): Map<Privilege, TableGrant> {
  const changed = new Map(grants);
  for (const { privilege, columns: named } of privileges) {
    const { whole, columns } = changed.get(privilege) ?? { whole: false, columns: new Set<string>() };
    const after = {
      whole: named === undefined ? kind === 'grant' : whole,
      columns: named === undefined ? columns : combined(columns, kind, named),
    };
    if (after.whole || after.columns.size > 0) changed.set(privilege, after);
    else changed.delete(privilege);
  }
  return changed;
}

function combined(columns: ReadonlySet<string>, kind: 'grant' | 'revoke', named: readonly string[]): Set<string> {
  return kind === 'grant'
    ? new Set([...columns, ...named])
    : new Set([...columns].filter((one) => !named.includes(one)));
}

function checkColumns(table: Table, privilege: Privilege, columns: readonly string[] | undefined): void {
  for (const name of columns ?? []) {
    const column = table.columns.find((candidate) => candidate.name === name);
    if (!column) throw new RpcError(status.NOT_FOUND, `Column not found in table ${table.name}: ${name}`);
    if (privilege !== 'SELECT' && column.generatedAs) {
      throw schemaError(`Cannot grant ${privilege} on generated column ${table.name}.${name}.`);
    }
  }
}

/** In these statements names must be written as the object was created. */
function exactTable(schema: Schema, name: string): Table {
  const table = schema.tables.get(name.toLowerCase());
  if (table?.name !== name) throw new RpcError(status.NOT_FOUND, `Table not found: ${name}`);
  return table;
}

function findRole(schema: Schema, name: string): Role {
  const role = schema.roles.get(name);
  if (!role) throw new RpcError(status.NOT_FOUND, `Role not found: ${name}`);
  return role;
}

function inheritsFrom(schema: Schema, name: string, parent: string): boolean {
  return rolesOf(schema, name).has(parent);
}

function withRole(schema: Schema, role: Role): Schema {
  return { ...schema, roles: new Map(schema.roles).set(role.name, role) };
}
