import { type SqlToken, sqlTokens } from './check-tokens.ts';
import { isReserved } from './quote-name.ts';

/** What a query takes rows from, and which of it as whole rows. */
export interface RowUses {
  /** Names that stand where a table stands, in lower case: tables, views, and names of the query's own `WITH`. */
  readonly sources: ReadonlySet<string>;
  /** Functions that stand where a table stands. */
  readonly functions: readonly string[];
  /** Those of the sources of which a row may be used as a whole; `all` where it cannot be told apart. */
  readonly whole: 'all' | ReadonlySet<string>;
}

/** Take columns that no word names, of any table. */
const UNNAMED: ReadonlySet<string> = new Set(['natural', 'pivot', 'unpivot', 'match_recognize']);
/** Words of the language that an operand of a product may begin with, or end with. */
const BEGIN_OPERAND: ReadonlySet<string> = new Set(['case', 'cast', 'extract', 'if']);
const END_OPERAND: ReadonlySet<string> = new Set(['end']);

type Clause = 'none' | 'select' | 'from' | 'other';
/** Words that begin another part of the query that they stand in. */
const CLAUSES: Readonly<Record<string, Clause>> = {
  select: 'select',
  ...Object.fromEntries(['where', 'group', 'having', 'qualify', 'window'].map((word) => [word, 'other'])),
};

const OPENING: ReadonlySet<string> = new Set(['(', '[', '{']);
const CLOSING: ReadonlySet<string> = new Set([')', ']', '}']);

/**
 * Looks for whole rows in a query: `*`, and names of tables and their aliases that stand by themselves (`TO_JSON(t)`,
 * `a = b`, `COUNT(DISTINCT t)`). It is no parser: a name that stands neither in front of a column nor where a table stands counts as
 * the row, whatever it is; and a sign or word that takes columns unnamed counts for every table.
 */
export function rowUses(sql: string): RowUses {
  const tokens = sqlTokens(sql);
  const places = sourcePlaces(tokens);
  const found = places.flatMap((at) => sourceAt(tokens, at));
  const functions = found.flatMap(({ isCalled, table }) => (isCalled ? [table] : []));
  const tables = found.filter(({ isCalled }) => !isCalled);
  const sources = new Set(tables.map(({ table }) => table));
  if (tokens.some((_, at) => takesUnnamed(tokens, at))) return { sources, functions, whole: 'all' };
  const standing = new Set(tables.flatMap(({ names }) => names.map(({ at }) => at)));
  const alone = new Set(tokens.flatMap(({ text }, at) => (!standing.has(at) && isAlone(tokens, at) ? [text] : [])));
  const whole = tables.flatMap(({ table, names }) => (names.some(({ text }) => alone.has(text)) ? [table] : []));
  return { sources, functions, whole: new Set(whole) };
}

/** Places behind FROM, JOIN and a comma between tables. */
function sourcePlaces(tokens: readonly SqlToken[]): number[] {
  const clauses: Clause[] = ['none'];
  let isNext = false;
  return tokens.flatMap((token, at) => {
    const clause = clauses.at(-1) ?? 'none';
    const isHere = isNext;
    isNext = false;
    if (token.kind === 'sign' && OPENING.has(token.text)) {
      // Tables that are joined in parentheses stand as tables; SELECT makes a query of it.
      isNext = isHere && token.text === '(';
      clauses.push(isNext ? 'from' : 'none');
    } else if (token.kind === 'sign' && CLOSING.has(token.text)) {
      if (clauses.length > 1) clauses.pop();
    } else if (isWord(token, 'from')) {
      // `IS DISTINCT FROM t` compares, and `EXTRACT(DAY FROM t)` takes a part.
      isNext = clause === 'select' && !isWord(tokens[at - 1], 'distinct');
      if (isNext) clauses[clauses.length - 1] = 'from';
    } else if (clause === 'from' && (isWord(token, 'join') || isSign(token, ','))) {
      isNext = true;
    } else if (token.kind === 'word' && Object.hasOwn(CLAUSES, token.text)) {
      clauses[clauses.length - 1] = CLAUSES[token.text] ?? 'other';
    }
    return isHere && isName(token) ? [at] : [];
  });
}

interface Source {
  readonly table: string;
  readonly isCalled: boolean;
  /** The table's own name and its alias, and where they stand. */
  readonly names: readonly { readonly text: string; readonly at: number }[];
}

/** The source that begins here; none for a path (`o.Items`, or a table of another schema). */
function sourceAt(tokens: readonly SqlToken[], at: number): Source[] {
  let end = at + 1;
  while (isSign(tokens[end], '.')) end += 2;
  const path = tokens.slice(at, end).map(({ text }) => text);
  const table = path.join('');
  if (isSign(tokens[end], '(')) return [{ table, isCalled: true, names: [] }];
  if (path.length > 1) return [];
  const isExplicit = isWord(tokens[end], 'as');
  const place = isExplicit ? end + 1 : end;
  const alias = tokens[place];
  const named = alias && (isExplicit || isName(alias)) ? [{ text: alias.text, at: place }] : [];
  return [{ table, isCalled: false, names: [{ text: table, at }, ...named] }];
}

/** Whether a name here can mean a row: no column's or function's name of a path, and not the name that `AS` gives. */
function isAlone(tokens: readonly SqlToken[], at: number): boolean {
  const [before, token, next] = [tokens[at - 1], tokens[at], tokens[at + 1]];
  if (!token || (token.kind !== 'word' && token.kind !== 'quoted')) return false;
  if (isSign(before, '.') || isWord(before, 'as')) return false;
  // `t.f(` would give the row to a function.
  return !isSign(next, '.') || isSign(tokens[at + 3], '(');
}

/** Whether columns are taken here that no word names. */
function takesUnnamed(tokens: readonly SqlToken[], at: number): boolean {
  const [before, token, next] = [tokens[at - 1], tokens[at], tokens[at + 1]];
  if (token?.kind === 'word') return UNNAMED.has(token.text);
  if (!isSign(token, '*')) return false;
  const counts = isSign(before, '(') && isWord(tokens[at - 2], 'count') && isSign(next, ')');
  return !counts && !(endsOperand(before) && beginsOperand(next));
}

function endsOperand(token: SqlToken | undefined): boolean {
  if (token?.kind === 'sign') return /[)\]\d]/.test(token.text);
  return token !== undefined && (token.kind !== 'word' || isName(token) || END_OPERAND.has(token.text));
}

/** `* REPLACE (…)` is of a star: what a function of that name gives is no number. */
function beginsOperand(token: SqlToken | undefined): boolean {
  if (token?.kind === 'sign') return /[(\d.+~-]/.test(token.text);
  if (token === undefined || isWord(token, 'replace')) return false;
  return token.kind !== 'word' || isName(token) || BEGIN_OPERAND.has(token.text);
}

/** A name of a column, table or alias: in quotes, or no word of the language. */
function isName({ kind, text }: SqlToken): boolean {
  return kind === 'quoted' || (kind === 'word' && !isReserved(text));
}

function isWord(token: SqlToken | undefined, word: string): boolean {
  return token?.kind === 'word' && token.text === word;
}

function isSign(token: SqlToken | undefined, sign: string): boolean {
  return token?.kind === 'sign' && token.text === sign;
}
