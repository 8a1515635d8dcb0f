import type { Table } from '../schema.ts';
import { sameName, schemaError } from './schema-error.ts';
import { type Token, tokenize } from './tokenize.ts';

/** Functions that give another value each time. */
const CHANGING = new Set([
  'RAND',
  'GENERATE_UUID',
  'NEW_UUID',
  'SESSION_USER',
  'GET_NEXT_SEQUENCE_VALUE',
  'PENDING_COMMIT_TIMESTAMP',
]);
/** These need no parentheses. */
const CLOCKS = new Set(['CURRENT_TIMESTAMP', 'CURRENT_DATE', 'CURRENT_DATETIME', 'CURRENT_TIME']);

/**
 * Throws where an expression cannot be a function of its own row alone.
 *
 * Names and types are checked later, where SQL is understood.
 *
 * @param user whose expression it is, for the error
 */
export function checkExpression(expression: string, user: string): void {
  const tokens = tokenize(expression);
  tokens.forEach((token, at) => {
    if (token.kind !== 'word') return;
    const word = token.text.toUpperCase();
    if (word === 'SELECT') throw schemaError(`The expression of ${user} must not contain a subquery`);
    if (!CLOCKS.has(word) && !(CHANGING.has(word) && tokens[at + 1]?.text === '(')) return;
    throw schemaError(
      `The expression of ${user} is non-deterministic: ${word} gives another value each time. Use columns of the row`,
    );
  });
}

/** Whose expression may name a column, for an error; undefined if none does. */
export function expressionUser(table: Table, column: string): string | undefined {
  const user = table.columns.find(({ generatedAs }) => generatedAs && mentions(generatedAs.expression, column));
  if (user) return `generated column ${user.name}`;
  const check = table.checks.find(({ expression }) => mentions(expression, column));
  return check && `check constraint ${check.name}`;
}

/** Whether an expression has a column's name in it, be it as a column or as something else. */
export function mentions(expression: string, column: string): boolean {
  return tokenize(expression).some((token) => isName(token) && sameName(token.text, column));
}

function isName(token: Token): boolean {
  return token.kind === 'word' || token.kind === 'name';
}
