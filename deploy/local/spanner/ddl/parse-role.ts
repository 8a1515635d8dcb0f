import type { Privilege } from '../schema.ts';
import type { PrivilegeList, Statement } from './statement.ts';
import type { TokenCursor } from './token-cursor.ts';

const PRIVILEGES: readonly Privilege[] = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];
const OTHER_OBJECTS = [
  ['VIEW'],
  ['ALL'],
  ['CHANGE', 'STREAM'],
  ['SEQUENCE'],
  ['TABLE', 'FUNCTION'],
  ['SCHEMA'],
  ['MODEL'],
] as const;

/** Parses what follows GRANT or REVOKE. Source: cloud.google.com/spanner/docs/reference/standard-sql/data-definition-language#grant. */
export function parseGrant(cursor: TokenCursor, verb: 'grant' | 'revoke'): Statement {
  const towards = verb === 'grant' ? 'TO' : 'FROM';
  if (cursor.take('ROLE')) {
    const granted = nameList(cursor, 'role name');
    cursor.expect(towards, 'ROLE');
    return { kind: verb === 'grant' ? 'grant-role' : 'revoke-role', granted, roles: nameList(cursor, 'role name') };
  }
  for (const word of ['EXECUTE', 'USAGE'] as const) {
    if (cursor.sees(word)) throw cursor.unsupported(`the privilege ${word}`);
  }
  const privileges: PrivilegeList[] = [];
  do privileges.push(parsePrivilege(cursor));
  while (cursor.take(','));
  cursor.expect('ON');
  for (const words of OTHER_OBJECTS) {
    if (cursor.sees(...words)) throw cursor.unsupported(`${verb.toUpperCase()} … ON ${words.join(' ')}`);
  }
  cursor.expect('TABLE');
  const tables = nameList(cursor, 'table name');
  cursor.expect(towards, 'ROLE');
  return { kind: verb, privileges, tables, roles: nameList(cursor, 'role name') };
}

function parsePrivilege(cursor: TokenCursor): PrivilegeList {
  for (const privilege of PRIVILEGES) {
    if (!cursor.take(privilege)) continue;
    if (!cursor.sees('(')) return { privilege, columns: undefined };
    if (privilege === 'DELETE') throw cursor.error('DELETE cannot be granted on columns');
    return { privilege, columns: cursor.expectList(() => cursor.expectName('column name')) };
  }
  throw cursor.unexpected("'SELECT', 'INSERT', 'UPDATE', 'DELETE' or 'ROLE'");
}

function nameList(cursor: TokenCursor, what: string): string[] {
  const names: string[] = [];
  do names.push(cursor.expectName(what));
  while (cursor.take(','));
  return names;
}
