import { PoisonError } from '../../events/records/poison.ts';
import { Bytes, Unfit } from '../../events/values/document-leaf.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../events/values/exact-json.ts';
import { type FilledObject, newObject, setField } from '../object-fields.ts';
import type { DecodedRecord } from '../record-decoder.ts';

/** What stands for a large value that an update did not touch. Source: debezium.io, PostgreSQL connector, "Toasted values". */
const UNAVAILABLE = '__debezium_unavailable_value';
const UNAVAILABLE_BYTES = Buffer.from(UNAVAILABLE);

/**
 * What a change event says of its row: the state after it, or, for a delete, the last one known.
 *
 * Beside the row's own fields the document has `__op`, `__ts_ms` and `__source`, whose `lsn`, `pos` or `ts_ms` can guard
 * versions. Creates, updates and reads of a snapshot are alike; what is no change of one row is poison.
 *
 * Source: debezium.io, connectors, "Data change events".
 */
export function changeOf(event: JsonValue): DecodedRecord {
  if (!isJsonObject(event) || typeof event.op !== 'string') {
    throw new PoisonError(
      'undecodable',
      'The value is no change event: it has no `op` (a flattened one needs `debezium: { flattened: true }`)',
    );
  }
  const { op, before, after } = event;
  switch (op) {
    case 'c':
    case 'u':
    case 'r':
      return { document: withOrigin(rowOf(after, op, 'after'), event), isDeletion: false };
    case 'd':
      return { document: withOrigin(before ? rowOf(before, op, 'before') : {}, event), isDeletion: true };
    case 't':
      throw new PoisonError(
        'unmappable',
        `The event truncates ${tableOf(event)}: it names no row, and none is deleted`,
      );
    default:
      throw new PoisonError('unmappable', `The event has op ${JSON.stringify(op.slice(0, 20))}, which changes no row`);
  }
}

/** A flattened event: the row itself, and `__deleted` or `__op` where a transform added them. */
export function flatChangeOf(row: JsonValue): DecodedRecord {
  if (!isJsonObject(row)) throw new PoisonError('undecodable', 'The value is no row: it is no object');
  const { __deleted: deleted, __op: op } = row;
  return { document: withoutUnavailable(row), isDeletion: deleted === 'true' || deleted === true || op === 'd' };
}

function rowOf(row: JsonValue | undefined, op: string, place: string): JsonObject {
  if (row !== undefined && isJsonObject(row)) return row;
  throw new PoisonError('undecodable', `The event has op "${op}" and no row in \`${place}\``);
}

function withOrigin(row: JsonObject, { op, ts_ms: at, source }: JsonObject): JsonObject {
  const document = withoutUnavailable(row);
  for (const [name, value] of [
    ['__op', op],
    ['__ts_ms', at],
    ['__source', source],
  ] as const) {
    if (value !== undefined) setField(document, name, value);
  }
  return document;
}

/** A placeholder must never be written over the value that it stands for. */
function withoutUnavailable(row: JsonObject): FilledObject {
  const document = newObject();
  for (const [name, value] of Object.entries(row)) {
    const isThere = value instanceof Bytes ? !value.buffer.equals(UNAVAILABLE_BYTES) : value !== UNAVAILABLE;
    setField(
      document,
      name,
      isThere ? value : new Unfit('a large value that the database did not send with the change'),
    );
  }
  return document;
}

function tableOf({ source }: JsonObject): string {
  const table = source !== undefined && isJsonObject(source) ? source.table : undefined;
  return typeof table === 'string' ? `table ${table.slice(0, 100)}` : 'a table';
}
