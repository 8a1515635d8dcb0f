import type { Privilege, Role, Schema, TableGrant } from '../schema.ts';
import { isReservedRole } from './system-roles.ts';

/** The statements that make a schema's roles and their grants, behind those that make its tables. */
export function printRoles({ roles }: Schema, printName: (name: string) => string): string[] {
  const created = [...roles.values()].filter(({ name }) => !isReservedRole(name));
  return [
    ...created.map(({ name }) => `CREATE ROLE ${printName(name)}`),
    ...[...roles.values()].flatMap((role) => printGrants(role, printName)),
    ...created.flatMap(({ name, memberOf }) =>
      [...memberOf].map((parent) => `GRANT ROLE ${printName(parent)} TO ROLE ${printName(name)}`),
    ),
  ];
}

function printGrants({ name, grants }: Role, printName: (name: string) => string): string[] {
  return [...grants].map(([table, privileges]) => {
    const list = [...privileges].flatMap(([privilege, grant]) => printPrivilege(privilege, grant, printName));
    return `GRANT ${list.join(', ')} ON TABLE ${printName(table)} TO ROLE ${printName(name)}`;
  });
}

function printPrivilege(
  privilege: Privilege,
  { whole, columns }: TableGrant,
  printName: (name: string) => string,
): string[] {
  return [
    ...(whole ? [privilege] : []),
    ...(columns.size > 0 ? [`${privilege}(${[...columns].map(printName).join(', ')})`] : []),
  ];
}
