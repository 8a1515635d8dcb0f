import type { ColumnSource } from '../../config/declaration.ts';
import type { Cell } from '../values/cell.ts';
import type { ColumnReader } from '../values/convert.ts';
import { isJsonObject, type JsonValue } from '../values/exact-json.ts';
import { timestampOfMs } from '../values/timestamp.ts';
import type { OpenedRecord } from './opened-record.ts';
import { PoisonError } from './poison.ts';

/** Reads one column's cell of a record; undefined where the record has nothing for it. */
export type ReadSource = (opened: OpenedRecord) => Cell | undefined;

/** Compiles one column's source. */
export function sourceReader(from: ColumnSource['from'], reader: ColumnReader): ReadSource {
  switch (from.kind) {
    case 'key':
      return ({ record: { key } }) => (key === null ? undefined : reader.fromBytes(key));
    case 'field':
      return fieldReader(from.path, reader, ({ value }) => value?.document);
    case 'keyField':
      return fieldReader(from.path, reader, ({ key }) => key?.document);
    case 'hash':
      throw new RangeError('A hash is made of other columns');
    case 'header':
      return ({ record }) => {
        const header = record.headers.findLast(({ name }) => name === from.name);
        return header && reader.fromBytes(header.value);
      };
    case 'constant': {
      const cell = constantCell(from.value, reader);
      return () => cell;
    }
    case 'record':
      return recordReader(from.part, reader);
  }
}

/** True for a source that needs the record's decoded value. */
export function needsDocument(from: ColumnSource['from']): boolean {
  return from.kind === 'field';
}

function fieldReader(
  path: string,
  reader: ColumnReader,
  documentOf: (opened: OpenedRecord) => JsonValue | undefined,
): ReadSource {
  const field = fieldAt(path);
  return (opened) => {
    const document = documentOf(opened);
    if (document === undefined) return undefined;
    const value = field(document);
    return value === undefined ? undefined : reader.fromJson(value);
  };
}

/** The path that means the whole document: of a scalar, or of everything for a JSON column. */
export const WHOLE_DOCUMENT = '$';

/** The value at a dotted path, or at `$` the whole; undefined where an object on the way lacks it. */
export function fieldAt(path: string): (document: JsonValue) => JsonValue | undefined {
  if (path === WHOLE_DOCUMENT) return (document) => document;
  const [first = '', ...rest] = path.split('.');
  if (rest.length === 0) return (document) => own(document, first);
  return (document) => {
    let value = own(document, first);
    for (const name of rest) {
      if (value === undefined || value === null) return undefined;
      value = own(value, name);
    }
    return value;
  };
}

function own(value: JsonValue, name: string): JsonValue | undefined {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function recordReader(
  part: Extract<ColumnSource['from'], { kind: 'record' }>['part'],
  reader: ColumnReader,
): ReadSource {
  switch (part) {
    case 'topic':
      return ({ record: { topic } }) => reader.fromText(topic);
    case 'partition':
      return ({ record: { partition } }) => reader.fromText(String(partition));
    case 'offset':
      return ({ record: { offset } }) => reader.fromText(String(offset));
    case 'timestamp':
      return ({ record: { timestampMs } }) =>
        timestampMs === undefined ? undefined : timestampCell(timestampMs, reader);
    case 'value':
      return ({ record: { value } }) => (value === null ? undefined : reader.fromBytes(value));
  }
}

function timestampCell(timestampMs: number, reader: ColumnReader): Cell {
  const text = timestampOfMs(timestampMs);
  if (text === undefined)
    throw new PoisonError('unmappable', `The record's timestamp ${timestampMs} ms is out of range`);
  return reader.fromText(text);
}

function constantCell(value: string | number | boolean | null, reader: ColumnReader): Cell {
  if (typeof value !== 'string') return reader.fromJson(value);
  return reader.fromText(value);
}
