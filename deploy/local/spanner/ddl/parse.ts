import { parseColumnDefinition, parseColumnOptions } from './parse-column.ts';
import { parseConstraint, seesConstraint } from './parse-constraint.ts';
import { parseOnDelete } from './parse-on-delete.ts';
import { parseGrant } from './parse-role.ts';
import { parseColumn, parseCreateTable, parseKeyPart, parseRowDeletionPolicy } from './parse-table.ts';
import type { ColumnChange, Statement, TableAction } from './statement.ts';
import { TokenCursor } from './token-cursor.ts';
import { parseRetention } from './version-retention.ts';

const UNSUPPORTED_OBJECTS = [
  ['CHANGE', 'STREAM'],
  ['PROPERTY', 'GRAPH'],
  ['PROTO', 'BUNDLE'],
  ['SEARCH', 'INDEX'],
  ['VECTOR', 'INDEX'],
  ['LOCALITY', 'GROUP'],
  ['VIEW'],
  ['SEQUENCE'],
  ['SCHEMA'],
  ['MODEL'],
  ['FUNCTION'],
  ['PLACEMENT'],
  ['STATISTICS'],
] as const;

/**
 * Parses one statement of Spanner's DDL.
 *
 * @throws {RpcError} INVALID_ARGUMENT with line and column, UNIMPLEMENTED for what the laptop's Spanner has not
 */
export function parse(source: string): Statement {
  const cursor = new TokenCursor(source);
  const statement = parseStatement(cursor);
  cursor.expectEnd();
  return statement;
}

function parseStatement(cursor: TokenCursor): Statement {
  if (cursor.take('GRANT')) return parseGrant(cursor, 'grant');
  if (cursor.take('REVOKE')) return parseGrant(cursor, 'revoke');
  for (const word of ['ANALYZE', 'RENAME'] as const) {
    if (cursor.sees(word)) throw cursor.unsupported(`${word} statements`);
  }
  if (cursor.take('CREATE')) return parseCreate(cursor);
  if (cursor.take('DROP')) return parseDrop(cursor);
  if (cursor.take('ALTER')) return parseAlter(cursor);
  throw cursor.unexpected("'CREATE', 'ALTER' or 'DROP'");
}

function parseCreate(cursor: TokenCursor): Statement {
  if (cursor.take('TABLE')) return parseCreateTable(cursor);
  if (cursor.take('ROLE')) return { kind: 'create-role', name: cursor.expectName('role name') };
  const unique = cursor.take('UNIQUE');
  const nullFiltered = cursor.take('NULL_FILTERED');
  if (cursor.take('INDEX')) return parseCreateIndex(cursor, { unique, nullFiltered });
  if (unique || nullFiltered) throw cursor.unexpected("'INDEX'");
  cursor.take('OR', 'REPLACE');
  refuseUnsupportedObjects(cursor, 'CREATE');
  throw cursor.unexpected("'TABLE' or 'INDEX'");
}

function parseCreateIndex(cursor: TokenCursor, flags: { unique: boolean; nullFiltered: boolean }): Statement {
  const ifNotExists = cursor.take('IF', 'NOT', 'EXISTS');
  const name = cursor.expectName('index name');
  cursor.expect('ON');
  const table = cursor.expectName('table name');
  const key = cursor.expectList(() => parseKeyPart(cursor));
  const storing = cursor.take('STORING') ? cursor.expectList(() => cursor.expectName('column name')) : [];
  if (cursor.sees('WHERE')) throw cursor.unsupported("an index's WHERE clause");
  let interleavedIn: string | undefined;
  if (cursor.take(',')) {
    cursor.expect('INTERLEAVE', 'IN');
    interleavedIn = cursor.expectName('table name');
  }
  if (cursor.sees('OPTIONS')) throw cursor.unsupported('index options');
  return { kind: 'create-index', ifNotExists, index: { name, table, key, storing, ...flags, interleavedIn } };
}

function parseDrop(cursor: TokenCursor): Statement {
  if (cursor.take('ROLE')) return { kind: 'drop-role', name: cursor.expectName('role name') };
  for (const what of ['TABLE', 'INDEX'] as const) {
    if (!cursor.take(what)) continue;
    const ifExists = cursor.take('IF', 'EXISTS');
    const name = cursor.expectName(what === 'TABLE' ? 'table name' : 'index name');
    return { kind: what === 'TABLE' ? 'drop-table' : 'drop-index', ifExists, name };
  }
  refuseUnsupportedObjects(cursor, 'DROP');
  throw cursor.unexpected("'TABLE' or 'INDEX'");
}

function parseAlter(cursor: TokenCursor): Statement {
  if (cursor.take('TABLE')) {
    const table = cursor.expectName('table name');
    return { kind: 'alter-table', table, action: parseTableAction(cursor) };
  }
  if (cursor.take('DATABASE')) return parseAlterDatabase(cursor);
  if (cursor.sees('INDEX')) throw cursor.unsupported('ALTER INDEX');
  refuseUnsupportedObjects(cursor, 'ALTER');
  throw cursor.unexpected("'TABLE' or 'DATABASE'");
}

function parseTableAction(cursor: TokenCursor): TableAction {
  if (cursor.take('ADD')) return parseAdd(cursor);
  if (cursor.take('REPLACE')) return { kind: 'replace-policy', policy: parseRowDeletionPolicy(cursor) };
  if (cursor.take('SET', 'ON', 'DELETE')) return { kind: 'set-on-delete', onDelete: parseOnDelete(cursor) };
  if (cursor.take('DROP')) {
    if (cursor.take('ROW', 'DELETION', 'POLICY')) return { kind: 'drop-policy' };
    if (cursor.take('CONSTRAINT')) return { kind: 'drop-constraint', name: cursor.expectName('constraint name') };
    cursor.take('COLUMN');
    return { kind: 'drop-column', column: cursor.expectName('column name') };
  }
  if (cursor.take('ALTER')) {
    cursor.take('COLUMN');
    const column = cursor.expectName('column name');
    return { kind: 'alter-column', column, change: parseColumnChange(cursor) };
  }
  if (cursor.sees('RENAME')) throw cursor.unsupported('ALTER TABLE … RENAME');
  if (cursor.sees('SET', 'INTERLEAVE')) throw cursor.unsupported('ALTER TABLE … SET INTERLEAVE');
  if (cursor.sees('SET', 'OPTIONS')) throw cursor.unsupported('table options');
  throw cursor.unexpected("'ADD', 'DROP', 'ALTER', 'REPLACE' or 'SET ON DELETE'");
}

function parseAdd(cursor: TokenCursor): TableAction {
  if (cursor.sees('ROW', 'DELETION')) return { kind: 'add-policy', policy: parseRowDeletionPolicy(cursor) };
  if (seesConstraint(cursor)) return { kind: 'add-constraint', constraint: parseConstraint(cursor) };
  if (cursor.sees('SYNONYM')) throw cursor.unsupported('table synonyms');
  cursor.take('COLUMN');
  const ifNotExists = cursor.take('IF', 'NOT', 'EXISTS');
  const column = parseColumn(cursor);
  if (cursor.sees('PRIMARY', 'KEY')) throw cursor.error(`Cannot add ${column.name} to the primary key of a table`);
  return { kind: 'add-column', ifNotExists, column };
}

function parseColumnChange(cursor: TokenCursor): ColumnChange {
  if (cursor.take('SET', 'OPTIONS')) return { kind: 'commit-timestamp', allowed: parseColumnOptions(cursor) };
  if (cursor.take('SET', 'DEFAULT')) {
    return { kind: 'default', expression: cursor.expectParenthesised('default value') };
  }
  if (cursor.take('DROP', 'DEFAULT')) return { kind: 'default', expression: undefined };
  if (cursor.sees('ALTER', 'IDENTITY')) throw cursor.unsupported('identity columns');
  return { kind: 'definition', definition: parseColumnDefinition(cursor) };
}

function parseAlterDatabase(cursor: TokenCursor): Statement {
  const name = cursor.expectDatabaseName();
  cursor.expect('SET', 'OPTIONS');
  const periods = cursor.expectList(() => {
    if (!cursor.take('VERSION_RETENTION_PERIOD')) {
      const option = cursor.expectName('option name');
      throw cursor.unsupported(`the database option ${option}`);
    }
    cursor.expect('=');
    return parseRetention(cursor);
  });
  const versionRetentionMs = periods.at(-1);
  if (versionRetentionMs === undefined) throw cursor.unexpected('an option');
  return { kind: 'alter-database', name, versionRetentionMs };
}

function refuseUnsupportedObjects(cursor: TokenCursor, verb: string): void {
  for (const words of UNSUPPORTED_OBJECTS) {
    if (cursor.sees(...words)) throw cursor.unsupported(`${verb} ${words.join(' ')}`);
  }
}
