import { checkTokens } from '../sql/check-tokens.ts';

const MAX_CHARACTERS = 4_000;
/** What gives another answer when it is asked again, or depends on who asks. */
export const volatileWords: ReadonlySet<string> = new Set([
  'RAND',
  'GENERATE_UUID',
  'NEW_UUID',
  'CURRENT_DATE',
  'CURRENT_TIMESTAMP',
  'CURRENT_TIME',
  'CURRENT_DATETIME',
  'PENDING_COMMIT_TIMESTAMP',
  'TABLESAMPLE',
  'GET_NEXT_SEQUENCE_VALUE',
  'SESSION_USER',
  'ML',
]);
/** What reaches beyond the row. */
const BEYOND = new Set(['SELECT', 'GRAPH', 'GRAPH_TABLE']);

/**
 * Looks whether a text can stand as one condition on the columns of one row, the same whenever it is asked.
 *
 * It is no parser: Spanner says what is wrong within the condition. This keeps it from reaching out of its parentheses.
 *
 * @returns what is wrong with it; undefined when nothing is
 */
export function checkCondition(condition: string): string | undefined {
  return checkTokens(condition, MAX_CHARACTERS, (word) =>
    volatileWords.has(word) || BEYOND.has(word) ? `has ${word}, which one row does not answer` : undefined,
  );
}
