/** Texts and bytes with their quotes, names in backticks, comments, words, and what else is one sign. */
const TOKEN =
  /(?:[rRbB]{0,2}(?:"""(?:[^\\]|\\[\s\S])*?"""|'''(?:[^\\]|\\[\s\S])*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))|`([^`\n]*)`|(--|#|\/\*)|([A-Za-z_]\w*)|([\s\S])/gy;
/** Schemas and models: quotes do not make a column of them. */
const OUTSIDE: ReadonlySet<string> = new Set(['INFORMATION_SCHEMA', 'SPANNER_SYS', 'ML']);
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
  for (const { 0: token, 1: quoted, 2: comment, 3: word, 4: sign, index } of text.matchAll(TOKEN)) {
    if (quoted?.includes('\\')) return `has an escape in the name ${quoted}`;
    if (comment !== undefined) return `has a comment (${comment})`;
    const meant = word ?? (isReached(quoted, text.slice(index + token.length)) ? quoted : undefined);
    const wrong = meant === undefined ? undefined : checkWord(meant.toUpperCase());
    if (wrong !== undefined) return wrong;
    if (sign === '(') depth += 1;
    if (sign === ')') depth -= 1;
    if (depth < 0) return 'closes a parenthesis that it did not open';
    if (sign !== undefined && REFUSED_SIGNS.includes(sign)) return `has ${sign} where it means nothing`;
  }
  return depth === 0 ? checkPipes(text) : 'leaves a parenthesis open';
}

/** A query that does not begin with SELECT takes columns, and tables, in ways that are not looked for. */
function checkPipes(text: string): string | undefined {
  const tokens = sqlTokens(text);
  const found = tokens.find(({ kind, text: word }, at) => {
    const [before, next] = [tokens[at - 1], tokens[at + 1]];
    if (kind === 'sign') return word === '|' && next?.text === '>';
    return kind === 'word' && (word === 'from' || word === 'table') && before?.text === '(' && next?.text !== ')';
  });
  if (found === undefined) return undefined;
  return `has ${found.kind === 'sign' ? '|>' : `(${found.text.toUpperCase()}`}: a query within begins with SELECT or WITH`;
}

/** Quotes make a name of a word, but a function is called by its name as well: `RAND`(). */
function isReached(quoted: string | undefined, rest: string): boolean {
  return quoted !== undefined && (/^\s*\(/.test(rest) || OUTSIDE.has(quoted.toUpperCase()));
}

/** A part of GoogleSQL that is no space. */
export interface SqlToken {
  /** A word or name in lower case; the sign itself; empty for a text. */
  readonly text: string;
  /** `quoted` is a name that can be no word of the language. */
  readonly kind: 'word' | 'quoted' | 'literal' | 'sign';
}

/** The parts of a piece of GoogleSQL, in their order. */
export function sqlTokens(text: string): SqlToken[] {
  return [...text.matchAll(TOKEN)].flatMap(([, quoted, , word, sign]): SqlToken[] => {
    if (quoted !== undefined) return [{ text: quoted.toLowerCase(), kind: 'quoted' }];
    if (word !== undefined) return [{ text: word.toLowerCase(), kind: 'word' }];
    if (sign === undefined) return [{ text: '', kind: 'literal' }];
    return /\s/.test(sign) ? [] : [{ text: sign, kind: 'sign' }];
  });
}

/** Every name and word of a piece of GoogleSQL, in lower case: a table that it reads is among them. */
export function wordsOf(text: string): Set<string> {
  const words = new Set<string>();
  for (const [, quoted, , word] of text.matchAll(TOKEN)) words.add((quoted ?? word ?? '').toLowerCase());
  return words;
}
