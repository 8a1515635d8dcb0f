import type { ColumnSource, Declaration, Pipeline } from '../config/declaration.ts';
import { isSensitive, sensitiveColumns } from './access-entities.ts';

/** In place of what may not be seen. */
export const masked = '(masked)' as const;

const MAX_DEPTH = 32;

/** What of a pipeline's records may be shown to those who may not read its sensitive columns. */
export interface RecordMask {
  /** The key, if a plain column holds it. */
  readonly key: boolean;
  /** Dotted paths of value fields that plain columns hold. */
  readonly fields: ReadonlySet<string>;
  /** Headers that plain columns hold. */
  readonly headers: ReadonlySet<string>;
}

/**
 * What may be shown of a pipeline's records: only what is known to be in a column that is not sensitive. A field that no column
 * takes may be the misspelt sensitive one that made the record a dead letter.
 *
 * @returns undefined where everything may be shown; a mask that shows nothing for a pipeline that is not declared any more
 */
export function recordMask(
  declaration: Pick<Declaration, 'access' | 'pipelines'>,
  name: string,
): RecordMask | undefined {
  if (Object.keys(declaration.access?.sensitive ?? {}).length === 0) return undefined;
  const pipeline = Object.hasOwn(declaration.pipelines, name) ? declaration.pipelines[name] : undefined;
  if (!pipeline) return { key: false, fields: new Set(), headers: new Set() };
  if (pipeline.targets.every(({ table }) => sensitiveColumns(declaration, table).length === 0)) return undefined;
  const sources = sourcesOf(declaration, pipeline);
  const shown = sources.filter(({ isHidden }) => !isHidden).map(({ source }) => source);
  const hidden = new Set(sources.filter(({ isHidden }) => isHidden).map(({ source }) => source));
  const plain = shown.filter((source) => !hidden.has(source));
  const hidesKey = [...hidden].some((source) => source === 'key' || source.startsWith('keyField '));
  return {
    key: plain.includes('key') && !hidesKey,
    fields: new Set(named(plain, 'field ')),
    headers: new Set(named(plain, 'header ')),
  };
}

/** The value as one line of JSON, of which only the mask's fields are shown; `(masked)` for what is no JSON object. */
export function maskValue(bytes: Uint8Array, { fields }: RecordMask): string {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return masked;
  }
  if (!isObject(value)) return masked;
  return JSON.stringify(shownFields(value, fields, '', 0));
}

/** A poison's reason names the column, and may quote what was in it. */
export function maskReason(reason: string): string {
  const column = /^Column ([A-Za-z_]\w{0,127})\b/.exec(reason)?.[1];
  return column === undefined ? masked : `Column ${column}: ${masked}`;
}

/** Names of fields that are not shown are data too: `{"ada@example.com": 1}`. They are counted. */
function shownFields(
  value: object,
  fields: ReadonlySet<string>,
  prefix: string,
  depth: number,
): Record<string, unknown> {
  const shown: [string, unknown][] = [];
  let hiddenCount = 0;
  for (const [name, inner] of Object.entries(value)) {
    const path = `${prefix}${name}`;
    const leads = depth < MAX_DEPTH && [...fields].some((field) => field.startsWith(`${path}.`));
    // A whole object or list may hold more than the column takes of it.
    if (fields.has(path) && (typeof inner !== 'object' || inner === null)) shown.push([name, inner]);
    else if (leads && isObject(inner)) shown.push([name, shownFields(inner, fields, `${path}.`, depth + 1)]);
    else hiddenCount += 1;
  }
  return Object.fromEntries(hiddenCount === 0 ? shown : [...shown, [masked, hiddenCount]]);
}

/** Where each column's value comes from, as `field a.b`, `key`, `keyField a` or `header h`. */
function sourcesOf(
  declaration: Pick<Declaration, 'access'>,
  { targets }: Pipeline,
): { readonly source: string; readonly isHidden: boolean }[] {
  return targets.flatMap(({ table, columns, aggregate }) => {
    const hides = (column: string): boolean => isSensitive(declaration, table, column);
    const all = [...columns, ...(aggregate?.groupBy ?? [])];
    const direct = all.map((column) => ({ source: sourceText(column.from), isHidden: hides(column.column) }));
    const folded = (aggregate?.into ?? []).flatMap(({ column, field }) =>
      field === undefined ? [] : [{ source: `field ${field}`, isHidden: hides(column) }],
    );
    return [...direct, ...folded].flatMap(({ source, isHidden }) =>
      source === undefined ? [] : [{ source, isHidden }],
    );
  });
}

function sourceText(from: ColumnSource['from']): string | undefined {
  switch (from.kind) {
    case 'field':
      return `field ${from.path}`;
    case 'keyField':
      return `keyField ${from.path}`;
    case 'header':
      return `header ${from.name}`;
    case 'key':
      return 'key';
    default:
      return undefined;
  }
}

function named(sources: readonly string[], prefix: string): string[] {
  return sources.flatMap((source) => (source.startsWith(prefix) ? [source.slice(prefix.length)] : []));
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
