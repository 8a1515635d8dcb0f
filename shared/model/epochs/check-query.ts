import { checkTokens } from '../sql/check-tokens.ts';
import { rowUses } from '../sql/row-uses.ts';
import { volatileWords } from './check-condition.ts';

const MAX_CHARACTERS = 16_000;

/** What a query of a feed cannot have, and why. */
const reasons: Readonly<Record<string, string>> = {
  ORDER: 'the order is that of `key`',
  LIMIT: 'which rows it would take is not said',
  OVER: 'what a window gives depends on the order of rows that are alike',
  ARRAY: 'the order of an array’s items is not said',
  ...reasonOf('the order of their rows is not said', ['ARRAY_AGG', 'ARRAY_CONCAT_AGG', 'STRING_AGG', 'ANY_VALUE']),
  ...reasonOf('sums of floats depend on the order of their rows', [
    'SUM',
    'AVG',
    'CORR',
    'COVAR_POP',
    'COVAR_SAMP',
    'STDDEV',
    'STDDEV_POP',
    'STDDEV_SAMP',
    'VAR_POP',
    'VAR_SAMP',
    'VARIANCE',
  ]),
  ...reasonOf('it is an estimate', [
    'APPROX_COUNT_DISTINCT',
    'APPROX_QUANTILES',
    'APPROX_TOP_COUNT',
    'APPROX_TOP_SUM',
    'APPROX_DOT_PRODUCT',
    'APPROX_COSINE_DISTANCE',
    'APPROX_EUCLIDEAN_DISTANCE',
  ]),
  ...reasonOf('it does not belong to the snapshot', ['INFORMATION_SCHEMA', 'SPANNER_SYS']),
  ...reasonOf('it reads tables that it does not name', ['GRAPH', 'GRAPH_TABLE']),
};

function reasonOf(reason: string, words: readonly string[]): Record<string, string> {
  return Object.fromEntries(words.map((word) => [word, reason]));
}

/**
 * Looks whether a query gives the same rows whenever it is asked at one timestamp, and may stand as a table in another query.
 *
 * Nothing is let through that could depend on the order in which Spanner happens to read: batches are to be the same again. What is
 * wrong within the query Spanner says.
 *
 * @returns what is wrong with it; undefined when nothing is
 */
export function checkQuery(sql: string): string | undefined {
  if (sql.trim() !== '' && !/^\s*(?:SELECT|WITH)\b/i.test(sql))
    return 'is no query: it begins with neither SELECT nor WITH';
  const wrong = checkTokens(sql, MAX_CHARACTERS, (word) => {
    if (volatileWords.has(word)) return `has ${word}: it gives another answer when it is asked again`;
    return Object.hasOwn(reasons, word) ? `has ${word}: ${reasons[word]}` : undefined;
  });
  if (wrong !== undefined) return wrong;
  const [called] = rowUses(sql).functions;
  return called === undefined ? undefined : `takes rows from ${called}(…): which columns those are of is not said`;
}
