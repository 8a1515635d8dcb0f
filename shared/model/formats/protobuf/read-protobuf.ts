import { PoisonError } from '../../events/records/poison.ts';
import type { JsonObject, JsonValue } from '../../events/values/exact-json.ts';
import { ByteCursor } from '../byte-cursor.ts';
import { newObject, setField } from '../object-fields.ts';
import { knownMessages } from './known-messages.ts';
import type { FieldPlan, MessagePlan, ValuePlan } from './message-plan.ts';
import { readEnum, readLength, readScalar, wire, wireOf } from './read-scalar.ts';

/** As deep as Google's own readers go. */
const MAX_DEPTH = 100;
const MAX_TAG = 2 ** 32 - 1;
/** Fields that are left out still are values: an empty message of two bytes may stand for a hundred. */
const MIN_VALUES = 65_536;
const MAX_IMPLIED_VALUES = 1_000_000;
const VALUES_PER_BYTE = 64;

/**
 * Reads one message; the document has the names and the order of the .proto file.
 *
 * A field with presence that is left out is left out; one without is its zero, an empty list or an empty object. 64-bit
 * numbers keep every digit; an enum is its symbol; a map is an object; Google's well-known types are what they stand for:
 * a Timestamp is a text as RFC 3339 has it, a wrapper its value, a Struct its JSON. Fields that the file does not know are
 * passed over.
 *
 * @throws {PoisonError} class `undecodable` for bytes that are not a message of this type, a wrong wire type included
 */
export function readProtobuf(plan: MessagePlan, bytes: Buffer): JsonValue {
  const cursor = new ByteCursor(bytes);
  const implied = Math.min(MAX_IMPLIED_VALUES, MIN_VALUES + VALUES_PER_BYTE * bytes.length);
  const budget: Budget = { valuesLeft: Math.max(2 * bytes.length, implied) };
  const message: RawMessage = new Map();
  readFields(plan, message, cursor, { depth: 0, group: undefined });
  return finishMessage(plan, message, budget);
}

/** Values by field number, before what was left out is filled in: a message that comes in two parts is merged. */
type RawMessage = Map<number, Raw>;
type Raw = JsonValue | RawMessage | Raw[] | Map<string, Raw>;

interface Budget {
  valuesLeft: number;
}

interface Place {
  readonly depth: number;
  /** The number of the group whose end tag ends this message. */
  readonly group: number | undefined;
}

function readFields(plan: MessagePlan, message: RawMessage, cursor: ByteCursor, { depth, group }: Place): void {
  if (depth > MAX_DEPTH) cursor.fail(`nests deeper than ${MAX_DEPTH} messages`);
  while (cursor.left > 0) {
    const tag = cursor.varint();
    const number = tag > MAX_TAG ? 0 : Number(tag) >>> 3;
    const type = Number(tag) & 7;
    if (number === 0) cursor.fail(`has a tag of ${tag}`);
    if (type === wire.groupEnd) {
      if (number !== group) cursor.fail(`ends a group ${number} that it did not begin`);
      return;
    }
    const field = plan.byNumber.get(number);
    if (field) readField(field, message, cursor, { type, depth });
    else skipField(number, type, cursor, depth);
  }
  if (group !== undefined) cursor.fail(`does not end group ${group}`);
}

function readField(
  field: FieldPlan,
  message: RawMessage,
  cursor: ByteCursor,
  { type, depth }: { readonly type: number; readonly depth: number },
): void {
  const { value, number, shape } = field;
  const wanted = shape === 'map' ? wire.length : wireOf(value);
  const isPackable = shape === 'list' && wanted !== wire.length && wanted !== wire.groupStart;
  if (isPackable && type === wire.length) {
    const packed = part(cursor);
    while (packed.left > 0) listAt(message, number).push(readValue(value, undefined, packed, { number, depth }));
  } else if (type !== wanted) {
    cursor.fail(`has wire type ${type} for field ${field.name}, which has ${wanted}`);
  } else if (shape === 'map') {
    readEntry(field, mapAt(message, number), cursor, depth);
  } else if (shape === 'list') {
    listAt(message, number).push(readValue(value, undefined, cursor, { number, depth }));
  } else {
    message.set(number, readValue(value, message.get(number), cursor, { number, depth }));
    for (const rival of field.rivals) message.delete(rival);
  }
}

/** What the next length delimits. */
function part(cursor: ByteCursor): ByteCursor {
  const length = readLength(cursor);
  const from = cursor.skip(length);
  return new ByteCursor(cursor.bytes, from, from + length);
}

/** @param before what the field held until now: messages are merged into it */
function readValue(
  value: ValuePlan,
  before: Raw | undefined,
  cursor: ByteCursor,
  { number, depth }: { readonly number: number; readonly depth: number },
): Raw {
  if (value.kind === 'scalar') return readScalar(value.type, cursor);
  if (value.kind === 'enum') return readEnum(value.names, cursor);
  const message: RawMessage = isRawMessage(before) ? before : new Map();
  if (value.delimited) readFields(value.message, message, cursor, { depth: depth + 1, group: number });
  else readFields(value.message, message, part(cursor), { depth: depth + 1, group: undefined });
  return message;
}

/** An entry is a message of two fields, key and value, each its zero when it is left out. */
function readEntry(field: FieldPlan, map: Map<string, Raw>, cursor: ByteCursor, depth: number): void {
  const entry = part(cursor);
  const keyPlan: ValuePlan = { kind: 'scalar', type: field.key ?? 'string' };
  let key: Raw = keyPlan.type === 'string' ? '' : keyPlan.type === 'bool' ? false : 0;
  let value: Raw | undefined;
  while (entry.left > 0) {
    const tag = Number(entry.varint());
    if (tag === ((1 << 3) | wireOf(keyPlan))) key = readScalar(keyPlan.type, entry);
    else if (tag === ((2 << 3) | wireOf(field.value)))
      value = readValue(field.value, value, entry, { number: 2, depth });
    else if (tag >>> 3 === 0 || tag > MAX_TAG) entry.fail(`has a tag of ${tag}`);
    else skipField(tag >>> 3, tag & 7, entry, depth);
  }
  map.set(keyText(key), value ?? zeroOf(field.value));
}

function keyText(key: Raw): string {
  return typeof key === 'object' && key !== null && 'source' in key ? String(key.source) : String(key);
}

function zeroOf(value: ValuePlan): Raw {
  if (value.kind === 'message') return new Map();
  return value.kind === 'enum' ? (value.names.get(0) ?? 0) : readScalar(value.type, new ByteCursor(Buffer.alloc(8)));
}

function skipField(number: number, type: number, cursor: ByteCursor, depth: number): void {
  switch (type) {
    case wire.varint:
      cursor.varint();
      return;
    case wire.fixed64:
      cursor.skip(8);
      return;
    case wire.length:
      cursor.skip(readLength(cursor));
      return;
    case wire.fixed32:
      cursor.skip(4);
      return;
    case wire.groupStart:
      readFields(UNKNOWN, new Map(), cursor, { depth: depth + 1, group: number });
      return;
    default:
      cursor.fail(`has wire type ${type}`);
  }
}

const UNKNOWN: MessagePlan = { name: '', fields: [], byNumber: new Map() };

function finishMessage(plan: MessagePlan, message: RawMessage, budget: Budget): JsonValue {
  const document = newObject();
  for (const field of plan.fields) {
    spend(budget);
    const raw = message.get(field.number);
    if (raw !== undefined) setField(document, field.name, finishField(field, raw, budget));
    else if (field.required) throw new PoisonError('undecodable', `Message ${plan.name} lacks its field ${field.name}`);
    else if (!field.hasPresence) setField(document, field.name, field.fallback);
  }
  const known = knownMessages.get(plan.name);
  return known ? known(document) : document;
}

function finishField({ shape, value }: FieldPlan, raw: Raw, budget: Budget): JsonValue {
  if (shape === 'list' && isList(raw)) return raw.map((item) => finishValue(value, item, budget));
  if (shape === 'map' && raw instanceof Map) {
    const object = newObject();
    for (const [key, item] of raw) setField(object, String(key), finishValue(value, item, budget));
    return object;
  }
  return finishValue(value, raw, budget);
}

function finishValue(value: ValuePlan, raw: Raw, budget: Budget): JsonValue {
  spend(budget);
  if (value.kind === 'message') return finishMessage(value.message, isRawMessage(raw) ? raw : new Map(), budget);
  return isLeaf(raw) ? raw : null;
}

function spend(budget: Budget): void {
  budget.valuesLeft--;
  if (budget.valuesLeft < 0) throw new PoisonError('too-large', 'The message stands for more values than it has bytes');
}

function listAt(message: RawMessage, number: number): Raw[] {
  const known = message.get(number);
  if (isList(known)) return known;
  const list: Raw[] = [];
  message.set(number, list);
  return list;
}

function mapAt(message: RawMessage, number: number): Map<string, Raw> {
  const known = message.get(number);
  if (isMap(known)) return known;
  const map = new Map<string, Raw>();
  message.set(number, map);
  return map;
}

function isList(raw: Raw | undefined): raw is Raw[] {
  return Array.isArray(raw);
}

/** Fields of one shape hold values of one shape: which map it is, the field's plan says. */
function isRawMessage(raw: Raw | undefined): raw is RawMessage {
  return raw instanceof Map;
}

function isMap(raw: Raw | undefined): raw is Map<string, Raw> {
  return raw instanceof Map;
}

function isLeaf(raw: Raw): raw is Exclude<JsonValue, JsonObject> {
  return !(raw instanceof Map) && !Array.isArray(raw);
}
