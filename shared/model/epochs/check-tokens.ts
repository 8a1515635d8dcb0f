/** Texts and bytes with their quotes, names in backticks, comments, words, and what else is one sign. */
const TOKEN =
  /(?:[rRbB]{0,2}(?:"""(?:[^\\]|\\[\s\S])*?"""|'''(?:[^\\]|\\[\s\S])*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))|`([^`\n]*)`|(--|#|\/\*)|([A-Za-z_]\w*)|([\s\S])/gy;
/** Have a meaning of their own where no text holds them: quotes that are not closed, statements, parameters and hints. */
const REFUSED_SIGNS = ['"', "'", '`', ';', '@', '\\'];

/**
 * Looks whether a piece of GoogleSQL can be put into parentheses and stays in them.
 *
 * It is no parser: Spanner says what is wrong within.
 *
 * @param checkWord says what is wrong with a word (in capitals); undefined when nothing is
 * @returns what is wrong with the text; undefined when nothing is
 */
export function checkTokens(
  text: string,
  maxCharacters: number,
  checkWord: (word: string) => string | undefined,
): string | undefined {
  if (text.trim() === '') return 'is empty';
  if (text.length > maxCharacters) return `has ${text.length} characters, more than ${maxCharacters}`;
  let depth = 0;
  for (const [, quoted, comment, word, sign] of text.matchAll(TOKEN)) {
    if (quoted?.includes('\\')) return `has an escape in the name ${quoted}`;
    if (comment !== undefined) return `has a comment (${comment})`;
    const wrong = word === undefined ? undefined : checkWord(word.toUpperCase());
    if (wrong !== undefined) return wrong;
    if (sign === '(') depth += 1;
    if (sign === ')') depth -= 1;
    if (depth < 0) return 'closes a parenthesis that it did not open';
    if (sign !== undefined && REFUSED_SIGNS.includes(sign)) return `has ${sign} where it means nothing`;
  }
  return depth === 0 ? undefined : 'leaves a parenthesis open';
}

/** Every name and word of a piece of GoogleSQL, in lower case: a table that it reads is among them. */
export function wordsOf(text: string): Set<string> {
  const words = new Set<string>();
  for (const [, quoted, , word] of text.matchAll(TOKEN)) words.add((quoted ?? word ?? '').toLowerCase());
  return words;
}
