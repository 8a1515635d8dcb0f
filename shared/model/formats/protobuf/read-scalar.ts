import { Bytes, floatLeaf } from '../../events/values/document-leaf.ts';
import type { JsonValue } from '../../events/values/exact-json.ts';
import { longLeaf } from '../binary-values.ts';
import type { ByteCursor } from '../byte-cursor.ts';
import type { ScalarType, ValuePlan } from './message-plan.ts';

const INT32_MAX = 2 ** 31 - 1;
const INT32_MIN = -(2 ** 31);
const UINT32_MAX = 2 ** 32 - 1;

/** How a value's end is known. Source: protobuf.dev, programming guides, "Encoding". */
export const wire = { varint: 0, fixed64: 1, length: 2, groupStart: 3, groupEnd: 4, fixed32: 5 } as const;

/** The wire type of one value. */
export function wireOf(value: ValuePlan): number {
  if (value.kind === 'enum') return wire.varint;
  if (value.kind === 'message') return value.delimited ? wire.groupStart : wire.length;
  switch (value.type) {
    case 'double':
    case 'fixed64':
    case 'sfixed64':
      return wire.fixed64;
    case 'float':
    case 'fixed32':
    case 'sfixed32':
      return wire.fixed32;
    case 'string':
    case 'bytes':
      return wire.length;
    default:
      return wire.varint;
  }
}

/** Reads one value; numbers that the type cannot hold are refused, where other readers cut them. */
export function readScalar(type: ScalarType, cursor: ByteCursor): JsonValue {
  switch (type) {
    case 'double':
      return floatLeaf(cursor.double());
    case 'float':
      return floatLeaf(cursor.float());
    case 'int32':
      return within(cursor, signed(cursor.varint()), INT32_MIN, INT32_MAX);
    case 'uint32':
      return within(cursor, cursor.varint(), 0, UINT32_MAX);
    case 'sint32':
      return within(cursor, cursor.zigzag(), INT32_MIN, INT32_MAX);
    case 'fixed32':
      return cursor.bytes.readUInt32LE(cursor.skip(4));
    case 'sfixed32':
      return cursor.bytes.readInt32LE(cursor.skip(4));
    case 'int64':
      return longLeaf(signed(cursor.varint()));
    case 'uint64':
      return longLeaf(cursor.varint());
    case 'sint64':
      return longLeaf(cursor.zigzag());
    case 'fixed64':
      return longLeaf(cursor.bytes.readBigUInt64LE(cursor.skip(8)));
    case 'sfixed64':
      return longLeaf(cursor.bytes.readBigInt64LE(cursor.skip(8)));
    case 'bool':
      return within(cursor, cursor.varint(), 0, 1) === 1;
    case 'string':
      return cursor.text(readLength(cursor));
    case 'bytes':
      return new Bytes(cursor.take(readLength(cursor)));
  }
}

/** The symbol of an enum; the number where the schema has no symbol for it. */
export function readEnum(names: ReadonlyMap<number, string>, cursor: ByteCursor): JsonValue {
  const number = within(cursor, signed(cursor.varint()), INT32_MIN, INT32_MAX);
  return names.get(number) ?? number;
}

/** A length that the bytes after it can have. */
export function readLength(cursor: ByteCursor): number {
  const length = cursor.varint();
  return length > cursor.left ? cursor.fail(`has a length of ${length}`) : Number(length);
}

function signed(value: number | bigint): number | bigint {
  return typeof value === 'number' ? value : BigInt.asIntN(64, value);
}

function within(cursor: ByteCursor, value: number | bigint, min: number, max: number): number {
  if (value < min || value > max) return cursor.fail(`has ${value} where ${min} to ${max} stands`);
  return Number(value);
}
