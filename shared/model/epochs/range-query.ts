import type { Key, KeyCode, KeyColumn, KeyPart } from './key.ts';
import type { KeyRange } from './key-range.ts';

/** A statement with its parameters, all of them STRING: the statement casts them, as exact as their types are. */
export interface RangeQuery {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * Writes the query for the rows of a key range that meet a condition, in the order of the primary key.
 *
 * GoogleSQL sorts as tables are kept: NULL before NaN before all else, and the other way round where a column descends.
 *
 * @param source.where a GoogleSQL condition, as `checkCondition` lets through
 * @param source.afterKey takes the place of the range's start, which is then not in it
 */
export function rangeQuery(source: {
  readonly table: string;
  readonly columns: readonly string[];
  readonly key: readonly KeyColumn[];
  readonly where: string;
  readonly range: KeyRange;
  readonly afterKey?: Key | undefined;
}): RangeQuery {
  const { table, columns, key, where, range, afterKey } = source;
  const parameters: Record<string, string> = {};
  const conditions = [`(${where}\n)`];
  const from = afterKey ?? range.from;
  if (from) conditions.push(behind(key, from, afterKey === undefined, { side: 'after', prefix: 'f', parameters }));
  if (range.to) conditions.push(behind(key, range.to, false, { side: 'before', prefix: 't', parameters }));
  const order = key.map(({ name, descending }) => `${quote(name)}${descending ? ' DESC' : ''}`).join(', ');
  const sql = `SELECT ${columns.map(quote).join(', ')} FROM ${quote(table)} WHERE ${conditions.join(' AND ')} ORDER BY ${order}`;
  return { sql, parameters };
}

interface Bound {
  readonly side: 'after' | 'before';
  /** Of the parameters' names. */
  readonly prefix: string;
  readonly parameters: Record<string, string>;
}

/** Rows whose key lies behind a key (or before it), part by part: equal so far, and then further. */
function behind(key: readonly KeyColumn[], bound: Key, inclusive: boolean, where: Bound): string {
  const texts = key.map((column, at) => comparisons(column, bound[at] ?? null, `${where.prefix}${at}`, where));
  const steps = texts.map(({ beyond }, at) => [...texts.slice(0, at).map(({ equal }) => equal), beyond].join(' AND '));
  if (inclusive) steps.push(texts.map(({ equal }) => equal).join(' AND '));
  return `(${steps.map((step) => `(${step})`).join(' OR ')})`;
}

function comparisons(
  { name, code, descending }: KeyColumn,
  part: KeyPart,
  parameter: string,
  { side, parameters }: Bound,
): { readonly equal: string; readonly beyond: string } {
  const column = quote(name);
  const isUp = (side === 'after') !== descending;
  if (part === null) return { equal: `${column} IS NULL`, beyond: isUp ? `${column} IS NOT NULL` : 'FALSE' };
  const isFloat = code === 'FLOAT32' || code === 'FLOAT64';
  if (isFloat && Number.isNaN(Number(part))) {
    const equal = `IS_NAN(${column})`;
    return { equal, beyond: isUp ? `NOT IS_NAN(${column})` : `${column} IS NULL` };
  }
  parameters[parameter] = String(part);
  const value = castOf(code, parameter);
  const equal = `${column} = ${value}`;
  if (isUp) return { equal, beyond: `${column} > ${value}` };
  const low = isFloat ? ` OR IS_NAN(${column})` : '';
  return { equal, beyond: `(${column} < ${value} OR ${column} IS NULL${low})` };
}

function castOf(code: KeyCode, parameter: string): string {
  if (code === 'STRING') return `@${parameter}`;
  if (code === 'BYTES') return `FROM_BASE64(@${parameter})`;
  return `CAST(@${parameter} AS ${code})`;
}

/** Names of Spanner hold letters, digits and `_` only; the quotes are for those that are words of the language. */
function quote(name: string): string {
  if (!/^[A-Za-z_]\w*$/.test(name)) throw new TypeError(`${JSON.stringify(name)} is no name of a table or column`);
  return `\`${name}\``;
}
