import type { CheckConstraint, ForeignKey } from '../schema.ts';
import { parseOnDelete } from './parse-on-delete.ts';
import type { TokenCursor } from './token-cursor.ts';

/** A constraint of a table; its name is empty where the statement gives none. */
export type ParsedConstraint =
  | { readonly kind: 'check'; readonly check: CheckConstraint }
  | { readonly kind: 'foreign-key'; readonly foreignKey: ForeignKey };

/** Whether a constraint begins here; a column may well be called Check. */
export function seesConstraint(cursor: TokenCursor): boolean {
  return cursor.sees('CONSTRAINT') || cursor.sees('CHECK', '(') || cursor.sees('FOREIGN', 'KEY');
}

/** Parses `[CONSTRAINT name] CHECK (…)` or `[CONSTRAINT name] FOREIGN KEY (…) REFERENCES …`. */
export function parseConstraint(cursor: TokenCursor): ParsedConstraint {
  const name = cursor.take('CONSTRAINT') ? cursor.expectName('constraint name') : '';
  if (cursor.take('FOREIGN', 'KEY')) return { kind: 'foreign-key', foreignKey: parseForeignKey(cursor, name) };
  if (!cursor.take('CHECK')) throw cursor.unexpected("'FOREIGN KEY' or 'CHECK'");
  return { kind: 'check', check: { name, expression: cursor.expectParenthesised('expression of a CHECK constraint') } };
}

function parseForeignKey(cursor: TokenCursor, name: string): ForeignKey {
  const columns = cursor.expectList(() => cursor.expectName('column name'));
  cursor.expect('REFERENCES');
  const referencedTable = cursor.expectName('table name');
  const referencedColumns = cursor.expectList(() => cursor.expectName('column name'));
  const onDelete = cursor.take('ON', 'DELETE') ? parseOnDelete(cursor) : 'NO ACTION';
  const enforced = !cursor.take('NOT', 'ENFORCED');
  if (enforced) cursor.take('ENFORCED');
  return { name, columns, referencedTable, referencedColumns, onDelete, enforced };
}
