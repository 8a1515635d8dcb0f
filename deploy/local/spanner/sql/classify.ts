import { tokenize } from '../ddl/tokenize.ts';

const DML = new Set(['INSERT', 'UPDATE', 'DELETE']);
const QUERY = new Set(['SELECT', 'WITH', 'FROM', 'GRAPH', 'TABLE', '(']);

/**
 * Tells a query from DML by its first word behind statement hints; 'other' is DDL, empty or not SQL.
 *
 * @throws {RpcError} INVALID_ARGUMENT where the text cannot be cut into tokens
 */
export function classify(sql: string): 'query' | 'dml' | 'other' {
  const tokens = tokenize(sql);
  let at = 0;
  if (tokens[0]?.text === '@' && tokens[1]?.text === '{') {
    while (tokens[at] && tokens[at]?.text !== '}') at++;
    at++;
  }
  const first = tokens[at]?.text.toUpperCase() ?? '';
  if (DML.has(first)) return 'dml';
  return QUERY.has(first) ? 'query' : 'other';
}
