import type { CheckConstraint } from '../schema.ts';
import type { TokenCursor } from './token-cursor.ts';

/** Whether a constraint begins here; a column may well be called Check. */
export function seesConstraint(cursor: TokenCursor): boolean {
  return cursor.sees('CONSTRAINT') || cursor.sees('CHECK', '(') || cursor.sees('FOREIGN', 'KEY');
}

/** Parses `[CONSTRAINT name] CHECK (expression)`; the name is empty where there is none. */
export function parseConstraint(cursor: TokenCursor): CheckConstraint {
  const name = cursor.take('CONSTRAINT') ? cursor.expectName('constraint name') : '';
  if (cursor.sees('FOREIGN')) throw cursor.unsupported('FOREIGN KEY constraints');
  if (!cursor.take('CHECK')) throw cursor.unexpected("'FOREIGN KEY' or 'CHECK'");
  return { name, expression: cursor.expectParenthesised('expression of a CHECK constraint') };
}
