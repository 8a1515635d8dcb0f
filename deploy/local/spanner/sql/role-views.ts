import { systemRoles } from '../ddl/system-roles.ts';
import type { Privilege, Schema } from '../schema.ts';
import type { Cell } from '../values.ts';
import { place, TABLE_COLUMNS, type View } from './view.ts';

/**
 * The views of INFORMATION_SCHEMA that speak of database roles.
 *
 * Source: https://cloud.google.com/spanner/docs/information-schema#roles
 */
export const roleViews: readonly View[] = [
  {
    name: 'ROLES',
    columns: ['ROLE_NAME', 'IS_SYSTEM BOOL'],
    *rows(schema) {
      for (const name of new Set([...systemRoles, ...schema.roles.keys()])) yield [name, systemRoles.includes(name)];
    },
  },
  {
    name: 'ROLE_GRANTEES',
    columns: ['ROLE_NAME', 'GRANTEE'],
    *rows(schema) {
      for (const { name, memberOf } of schema.roles.values()) for (const parent of memberOf) yield [parent, name];
    },
  },
  ...['TABLE_PRIVILEGES', 'ROLE_TABLE_GRANTS'].map((name) => ({
    name,
    columns: [...TABLE_COLUMNS, 'PRIVILEGE_TYPE', 'GRANTEE'],
    rows: tablePrivileges,
  })),
  ...['COLUMN_PRIVILEGES', 'ROLE_COLUMN_GRANTS'].map((name) => ({
    name,
    columns: [...TABLE_COLUMNS, 'COLUMN_NAME', 'PRIVILEGE_TYPE', 'GRANTEE'],
    rows: columnPrivileges,
  })),
];

function* tablePrivileges(schema: Schema): Generator<readonly Cell[]> {
  for (const [table, privilege, grantee, { whole }] of grantsOf(schema)) {
    if (whole) yield [...place(table), privilege, grantee];
  }
}

/** Privileges on whole tables are told of each of their columns. */
function* columnPrivileges(schema: Schema): Generator<readonly Cell[]> {
  for (const [table, privilege, grantee, { whole, columns }] of grantsOf(schema)) {
    if (privilege === 'DELETE') continue;
    for (const { name } of schema.tables.get(table.toLowerCase())?.columns ?? []) {
      if (whole || columns.has(name)) yield [...place(table), name, privilege, grantee];
    }
  }
}

function* grantsOf({
  roles,
}: Schema): Generator<
  [table: string, privilege: Privilege, grantee: string, grant: { whole: boolean; columns: ReadonlySet<string> }]
> {
  for (const { name, grants } of roles.values()) {
    for (const [table, privileges] of grants) {
      for (const [privilege, grant] of privileges) yield [table, privilege, name, grant];
    }
  }
}
