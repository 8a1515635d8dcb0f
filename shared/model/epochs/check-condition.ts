const MAX_CHARACTERS = 4_000;
/** What could give another answer when it is asked again, or reach beyond the row. */
const REFUSED =
  /^(?:SELECT|RAND|GENERATE_UUID|NEW_UUID|CURRENT_DATE|CURRENT_TIMESTAMP|CURRENT_TIME|CURRENT_DATETIME|PENDING_COMMIT_TIMESTAMP|TABLESAMPLE|GET_NEXT_SEQUENCE_VALUE|SESSION_USER|ML|GRAPH_TABLE)$/i;
/** Texts and bytes with their quotes, names in backticks, comments, words, and what else is one sign. */
const TOKEN =
  /(?:[rRbB]{0,2}(?:"""(?:[^\\]|\\[\s\S])*?"""|'''(?:[^\\]|\\[\s\S])*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))|`[^`\n]*`|(--|#|\/\*)|([A-Za-z_]\w*)|([\s\S])/gy;

/**
 * Looks whether a text can stand as one condition on the columns of one row, the same whenever it is asked.
 *
 * It is no parser: Spanner says what is wrong within the condition. This keeps it from reaching out of its parentheses.
 *
 * @returns what is wrong with it; undefined when nothing is
 */
export function checkCondition(condition: string): string | undefined {
  if (condition.trim() === '') return 'is empty';
  if (condition.length > MAX_CHARACTERS) return `has ${condition.length} characters, more than ${MAX_CHARACTERS}`;
  let depth = 0;
  for (const [, comment, word, sign] of condition.matchAll(TOKEN)) {
    if (comment !== undefined) return `has a comment (${comment})`;
    if (word !== undefined && REFUSED.test(word)) return `has ${word.toUpperCase()}, which one row does not answer`;
    if (sign === '(') depth += 1;
    if (sign === ')') depth -= 1;
    if (depth < 0) return 'closes a parenthesis that it did not open';
    if (sign !== undefined && ['"', "'", '`', ';', '@', '\\'].includes(sign))
      return `has ${sign} where it means nothing`;
  }
  return depth === 0 ? undefined : 'leaves a parenthesis open';
}
