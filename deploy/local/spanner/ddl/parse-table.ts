import type { CheckConstraint, Column, ForeignKey, KeyPart, Table } from '../schema.ts';
import { parseColumnDefinition } from './parse-column.ts';
import { parseConstraint, seesConstraint } from './parse-constraint.ts';
import { parseOnDelete } from './parse-on-delete.ts';
import type { Statement } from './statement.ts';
import type { TokenCursor } from './token-cursor.ts';

/** Parses what follows CREATE TABLE. */
export function parseCreateTable(cursor: TokenCursor): Statement {
  const ifNotExists = cursor.take('IF', 'NOT', 'EXISTS');
  const name = cursor.expectName('table name');
  const { columns, checks, foreignKeys, inlineKey } = parseElements(cursor);
  const primaryKey = parsePrimaryKey(cursor, inlineKey);
  let parent: Table['parent'];
  let rowDeletionPolicy: Table['rowDeletionPolicy'];
  while (cursor.take(',')) {
    if (cursor.sees('INTERLEAVE') && !parent) parent = parseParent(cursor);
    else if (cursor.sees('ROW') && !rowDeletionPolicy) rowDeletionPolicy = parseRowDeletionPolicy(cursor);
    else if (cursor.sees('OPTIONS')) throw cursor.unsupported('table options');
    else throw cursor.unexpected("'INTERLEAVE IN PARENT' or 'ROW DELETION POLICY', each once");
  }
  return {
    kind: 'create-table',
    ifNotExists,
    table: { name, columns, primaryKey, checks, foreignKeys, parent, rowDeletionPolicy },
  };
}

/** Parses a column with its name. */
export function parseColumn(cursor: TokenCursor): Column {
  const name = cursor.expectName('column name');
  const definition = parseColumnDefinition(cursor);
  return { name, ...definition, allowCommitTimestamp: definition.allowCommitTimestamp ?? false };
}

/** Parses `ROW DELETION POLICY (OLDER_THAN(column, INTERVAL days DAY))`. */
export function parseRowDeletionPolicy(cursor: TokenCursor): NonNullable<Table['rowDeletionPolicy']> {
  cursor.expect('ROW', 'DELETION', 'POLICY', '(', 'OLDER_THAN', '(');
  const column = cursor.expectName('column name');
  cursor.expect(',', 'INTERVAL');
  const days = cursor.expectInteger('the days of a row deletion policy');
  cursor.expect('DAY', ')', ')');
  return { column, days };
}

/** Parses one part of a primary or index key: a column, with ASC or DESC. */
export function parseKeyPart(cursor: TokenCursor): KeyPart {
  const column = cursor.expectName('column name');
  const descending = cursor.take('DESC');
  if (!descending) cursor.take('ASC');
  if (cursor.sees('NULLS')) throw cursor.unsupported('NULLS FIRST and NULLS LAST');
  return { column, descending };
}

interface Elements {
  readonly columns: Column[];
  readonly checks: CheckConstraint[];
  readonly foreignKeys: ForeignKey[];
  readonly inlineKey: KeyPart[] | undefined;
}

function parseElements(cursor: TokenCursor): Elements {
  const columns: Column[] = [];
  const checks: CheckConstraint[] = [];
  const foreignKeys: ForeignKey[] = [];
  let inlineKey: KeyPart[] | undefined;
  cursor.expect('(');
  while (!cursor.take(')')) {
    if (cursor.sees('PRIMARY', 'KEY', '(')) {
      if (inlineKey) throw cursor.error('The table has more than one PRIMARY KEY');
      cursor.expect('PRIMARY', 'KEY');
      inlineKey = cursor.expectList(() => parseKeyPart(cursor), { emptyAllowed: true });
    } else if (seesConstraint(cursor)) {
      const constraint = parseConstraint(cursor);
      if (constraint.kind === 'check') checks.push(constraint.check);
      else foreignKeys.push(constraint.foreignKey);
    } else {
      if (cursor.sees('SYNONYM', '(')) throw cursor.unsupported('table synonyms');
      const column = parseColumn(cursor);
      columns.push(column);
      if (cursor.sees('PRIMARY')) {
        if (inlineKey) throw cursor.error('The table has more than one PRIMARY KEY');
        cursor.expect('PRIMARY', 'KEY');
        inlineKey = [{ column: column.name, descending: false }];
      }
    }
    if (!cursor.take(',') && !cursor.sees(')')) throw cursor.unexpected("',' or ')'");
  }
  return { columns, checks, foreignKeys, inlineKey };
}

function parsePrimaryKey(cursor: TokenCursor, inlineKey: KeyPart[] | undefined): KeyPart[] {
  if (!cursor.sees('PRIMARY')) {
    if (inlineKey) return inlineKey;
    throw cursor.unexpected("'PRIMARY KEY'");
  }
  if (inlineKey) throw cursor.error('The table has more than one PRIMARY KEY');
  cursor.expect('PRIMARY', 'KEY');
  return cursor.expectList(() => parseKeyPart(cursor), { emptyAllowed: true });
}

function parseParent(cursor: TokenCursor): NonNullable<Table['parent']> {
  cursor.expect('INTERLEAVE', 'IN');
  if (!cursor.take('PARENT')) throw cursor.unsupported('tables that INTERLEAVE IN without PARENT');
  const table = cursor.expectName('table name');
  const onDelete = cursor.take('ON', 'DELETE') ? parseOnDelete(cursor) : 'NO ACTION';
  return { table, onDelete };
}
