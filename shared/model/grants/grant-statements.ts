import { quoteName } from '../sql/quote-name.ts';
import type { GrantedColumns, TableGrants } from './table-grants.ts';

export type Privilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';

/** A role with what it may do. */
export interface RoleGrants {
  readonly role: string;
  /** Roles whose privileges it inherits. */
  readonly inherits: readonly string[];
  readonly grants: readonly TableGrants[];
}

/** Roles as a database has them now. */
export interface ExistingRoles {
  readonly roles: ReadonlySet<string>;
  readonly members: readonly { readonly role: string; readonly inherits: string }[];
  /** One entry a privilege; of the whole table where no column stands. */
  readonly privileges: readonly {
    readonly role: string;
    readonly table: string;
    readonly privilege: Privilege;
    readonly column: string | undefined;
  }[];
}

export const noRoles: ExistingRoles = { roles: new Set(), members: [], privileges: [] };

const PRIVILEGES: readonly Privilege[] = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];
const WHOLE = '*';

/**
 * The DDL that gives these roles exactly these grants: what is missing is granted before what is too much is revoked, so
 * that nobody who works is interrupted. Other roles are left alone.
 *
 * @param existing what the database has; nothing, for all statements
 */
export function grantStatements(wanted: readonly RoleGrants[], existing: ExistingRoles = noRoles): string[] {
  const created = wanted.filter(({ role }) => !existing.roles.has(role)).map(({ role }) => `CREATE ROLE ${role}`);
  const granted = wanted.flatMap((one) => changes(one, existing, 'GRANT'));
  const revoked = wanted.flatMap((one) => changes(one, existing, 'REVOKE'));
  return [...created, ...granted, ...revoked];
}

function changes({ role, inherits, grants }: RoleGrants, existing: ExistingRoles, verb: 'GRANT' | 'REVOKE'): string[] {
  const towards = verb === 'GRANT' ? 'TO' : 'FROM';
  const held = existing.members.filter((member) => member.role === role).map((member) => member.inherits);
  const [from, minus] = verb === 'GRANT' ? [inherits, held] : [held, inherits];
  const roles = from
    .filter((name) => !minus.includes(name))
    .map((name) => `${verb} ROLE ${name} ${towards} ROLE ${role}`);
  const now = heldPrivileges(role, existing);
  const wanted = wantedPrivileges(grants);
  const [more, less] = verb === 'GRANT' ? [wanted, now] : [now, wanted];
  const tables = [...more].flatMap(([table, privileges]) => {
    const list = PRIVILEGES.flatMap((privilege) => {
      const columns = [...(privileges.get(privilege) ?? [])].filter(
        (column) => !less.get(table)?.get(privilege)?.has(column),
      );
      const named = columns.filter((column) => column !== WHOLE);
      return [
        ...(columns.includes(WHOLE) ? [privilege] : []),
        ...(named.length > 0 ? [`${privilege}(${named.map(quoteName).join(', ')})`] : []),
      ];
    });
    return list.length === 0 ? [] : [`${verb} ${list.join(', ')} ON TABLE ${quoteName(table)} ${towards} ROLE ${role}`];
  });
  return [...roles, ...tables];
}

type Privileges = Map<string, Map<Privilege, Set<string>>>;

function wantedPrivileges(grants: readonly TableGrants[]): Privileges {
  return new Map(
    grants.map(({ table, select, insert, update, delete: deletes }) => [
      table,
      new Map<Privilege, Set<string>>([
        ['SELECT', columnSet(select)],
        ['INSERT', columnSet(insert)],
        ['UPDATE', columnSet(update)],
        ['DELETE', new Set(deletes ? [WHOLE] : [])],
      ]),
    ]),
  );
}

function columnSet(columns: GrantedColumns): Set<string> {
  return new Set(columns === 'all' ? [WHOLE] : columns);
}

function heldPrivileges(role: string, { privileges }: ExistingRoles): Privileges {
  const held: Privileges = new Map();
  for (const one of privileges) {
    if (one.role !== role) continue;
    const of = held.get(one.table) ?? new Map<Privilege, Set<string>>();
    held.set(one.table, of);
    of.set(one.privilege, (of.get(one.privilege) ?? new Set()).add(one.column ?? WHOLE));
  }
  return held;
}
