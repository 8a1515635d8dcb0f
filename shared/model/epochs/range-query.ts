import type { Key, KeyCode, KeyColumn, KeyPart } from './key.ts';
import type { KeyRange } from './key-range.ts';

/** A statement with its parameters, all of them STRING: the statement casts them, as exact as their types are. */
export interface RangeQuery {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** What a query over a key range is made of. Plain data. */
export interface QuerySource {
  /** A GoogleSQL condition, as `checkCondition` lets through. */
  readonly where?: string | undefined;
  /** A query in place of the table, as `checkQuery` lets through. */
  readonly sql?: string | undefined;
  /** The table's primary key, or what the query's rows are told apart by. */
  readonly key: readonly KeyColumn[];
  /** Only the last key of the table, of those that begin so, instead of rows of a range. */
  readonly lastOf?: Key | undefined;
}

/**
 * Writes the query for the rows of a key range that meet a condition, in the order of the key.
 *
 * GoogleSQL sorts as tables are kept: NULL before NaN before all else, and the other way round where a column descends.
 *
 * @param source.afterKey takes the place of the range's start, which is then not in it
 */
export function rangeQuery(
  source: QuerySource & {
    readonly table: string;
    readonly columns: readonly string[];
    readonly range: KeyRange;
    readonly afterKey?: Key | undefined;
    /** Partitions have no order. */
    readonly isUnordered?: boolean;
  },
): RangeQuery {
  const { table, columns, key, where, sql, range, afterKey, isUnordered = false } = source;
  const parameters: Record<string, string> = {};
  const conditions = where === undefined ? [] : [`(${where}\n)`];
  const from = afterKey ?? range.from;
  if (from) conditions.push(behind(key, from, afterKey === undefined, { side: 'after', prefix: 'f', parameters }));
  if (range.to) conditions.push(behind(key, range.to, false, { side: 'before', prefix: 't', parameters }));
  const terms = key.map(({ name, descending }) => `${quote(name)}${descending ? ' DESC' : ''}`);
  const order = isUnordered ? '' : ` ORDER BY ${terms.join(', ')}`;
  const rows = sql === undefined ? quote(table) : `(${sql}\n)`;
  const met = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return { sql: `SELECT ${columns.map(quote).join(', ')} FROM ${rows}${met}${order}`, parameters };
}

interface Bound {
  readonly side: 'after' | 'before';
  /** Of the parameters' names. */
  readonly prefix: string;
  readonly parameters: Record<string, string>;
}

/** Writes the query for the last key of a table that begins with some parts. */
export function lastKeyQuery(table: string, key: readonly KeyColumn[], prefix: Key): RangeQuery {
  const parameters: Record<string, string> = {};
  const where: Bound = { side: 'after', prefix: 'p', parameters };
  const equal = prefix.map((part, at) => equalTo(key, at, part, where)).filter((text) => text !== '');
  const order = key.map(({ name, descending }) => `${quote(name)}${descending ? '' : ' DESC'}`).join(', ');
  const met = equal.length === 0 ? '' : ` WHERE ${equal.join(' AND ')}`;
  const columns = key.map(({ name }) => quote(name)).join(', ');
  return { sql: `SELECT ${columns} FROM ${quote(table)}${met} ORDER BY ${order} LIMIT 1`, parameters };
}

function equalTo(key: readonly KeyColumn[], at: number, part: KeyPart, where: Bound): string {
  const column = key[at];
  return column === undefined ? '' : comparisons(column, part, `${where.prefix}${at}`, where).equal;
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
