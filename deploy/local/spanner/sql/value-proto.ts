import { status } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { RpcError } from '../../grpc.ts';
import type { Cell, SpannerType } from '../values.ts';
import { packNumeric, unpackNumeric } from './numeric.ts';

const DAY_MS = 86_400_000;
const SECOND_NANOS = 1_000_000_000n;
const VARINT = 0;
const BYTES = 2;

/** Field numbers of zetasql.ValueProto. */
const FIELD = {
  int64: 2,
  bool: 5,
  float: 6,
  double: 7,
  string: 8,
  bytes: 9,
  date: 10,
  array: 13,
  struct: 14,
  timestamp: 16,
  numeric: 20,
  json: 23,
} as const;

/** Writes one value as the body of a zetasql.ValueProto; NULL is an empty one. */
export function writeValue(writer: protobuf.Writer, type: SpannerType, cell: Cell): void {
  if (cell === null) return;
  switch (type.code) {
    case 'BOOL':
      writer.uint32((FIELD.bool << 3) | VARINT).bool(cell === true);
      return;
    case 'INT64':
      writer.uint32((FIELD.int64 << 3) | VARINT);
      writeInt64(writer, asBigint(cell));
      return;
    case 'FLOAT32':
      writer.uint32((FIELD.float << 3) | 5).float(Number(cell));
      return;
    case 'FLOAT64':
      writer.uint32((FIELD.double << 3) | 1).double(Number(cell));
      return;
    case 'NUMERIC':
      writer.uint32((FIELD.numeric << 3) | BYTES).bytes(packNumeric(String(cell)));
      return;
    case 'STRING':
    case 'UUID':
      writer.uint32((FIELD.string << 3) | BYTES).string(String(cell));
      return;
    case 'JSON':
      writer.uint32((FIELD.json << 3) | BYTES).string(String(cell));
      return;
    case 'BYTES':
      writer.uint32((FIELD.bytes << 3) | BYTES).bytes(cell as Buffer);
      return;
    case 'DATE':
      writer.uint32((FIELD.date << 3) | VARINT).int32(Date.parse(`${String(cell)}T00:00:00Z`) / DAY_MS);
      return;
    case 'TIMESTAMP':
      writeTimestamp(writer, asBigint(cell));
      return;
    case 'ARRAY':
      writeList(writer, FIELD.array, cell, () => type.element);
      return;
    case 'STRUCT':
      writeList(writer, FIELD.struct, cell, (position) => type.fields[position]?.type);
      return;
  }
}

/** Reads the body of a zetasql.ValueProto of the given type, up to `end`. */
export function readValue(reader: protobuf.Reader, end: number, type: SpannerType): Cell {
  let cell: Cell = null;
  while (reader.pos < end) {
    const tag = reader.uint32();
    cell = readField(reader, tag >>> 3, tag & 7, type);
  }
  return cell;
}

function readField(reader: protobuf.Reader, field: number, wire: number, type: SpannerType): Cell {
  switch (field) {
    case FIELD.bool:
      return reader.bool();
    case FIELD.int64:
      return readInt64(reader);
    case FIELD.float:
      return reader.float();
    case FIELD.double:
      return reader.double();
    case FIELD.string:
    case FIELD.json:
      return reader.string();
    case FIELD.bytes:
      return Buffer.from(reader.bytes());
    case FIELD.numeric:
      return unpackNumeric(reader.bytes());
    case FIELD.date:
      return new Date(reader.int32() * DAY_MS).toISOString().slice(0, 10);
    case FIELD.timestamp:
      return readTimestamp(reader);
    case FIELD.array:
    case FIELD.struct:
      return readList(reader, type);
    default:
      reader.skipType(wire);
      throw new RpcError(status.UNIMPLEMENTED, `The SQL evaluator answered with a value of an unknown kind (${field})`);
  }
}

function writeTimestamp(writer: protobuf.Writer, nanos: bigint): void {
  const fraction = ((nanos % SECOND_NANOS) + SECOND_NANOS) % SECOND_NANOS;
  writer.uint32((FIELD.timestamp << 3) | BYTES).fork();
  writer.uint32((1 << 3) | VARINT);
  writeInt64(writer, (nanos - fraction) / SECOND_NANOS);
  writer.uint32((2 << 3) | VARINT).int32(Number(fraction));
  writer.ldelim();
}

function readTimestamp(reader: protobuf.Reader): bigint {
  const end = reader.uint32() + reader.pos;
  let nanos = 0n;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) nanos += readInt64(reader) * SECOND_NANOS;
    else nanos += BigInt(reader.int32());
  }
  return nanos;
}

function writeList(
  writer: protobuf.Writer,
  field: number,
  cell: Cell,
  typeAt: (position: number) => SpannerType | undefined,
): void {
  if (!Array.isArray(cell)) throw new TypeError(`Expected a list of values, got ${typeof cell}`);
  writer.uint32((field << 3) | BYTES).fork();
  cell.forEach((element: Cell, position) => {
    const type = typeAt(position);
    if (!type) throw new TypeError(`A STRUCT has a value at ${position} but no field there`);
    writer.uint32((1 << 3) | BYTES).fork();
    writeValue(writer, type, element);
    writer.ldelim();
  });
  writer.ldelim();
}

function readList(reader: protobuf.Reader, type: SpannerType): Cell {
  const end = reader.uint32() + reader.pos;
  const cells: Cell[] = [];
  while (reader.pos < end) {
    reader.uint32();
    const element = elementType(type, cells.length);
    const elementEnd = reader.uint32() + reader.pos;
    cells.push(readValue(reader, elementEnd, element));
  }
  return cells;
}

function elementType(type: SpannerType, position: number): SpannerType {
  const element =
    type.code === 'ARRAY' ? type.element : type.code === 'STRUCT' ? type.fields[position]?.type : undefined;
  if (!element) throw new TypeError(`The SQL evaluator answered with a list where ${type.code} was expected`);
  return element;
}

function writeInt64(writer: protobuf.Writer, value: bigint): void {
  let rest = BigInt.asUintN(64, value);
  if (rest < 0x1_0000_0000n) {
    writer.uint32(Number(rest));
    return;
  }
  // The bits as protobufjs keeps a long: two halves of 32.
  const low = Number(rest & 0xffff_ffffn) | 0;
  rest >>= 32n;
  writer.int64(new protobuf.util.LongBits(low >>> 0, Number(rest)).toLong(false));
}

function readInt64(reader: protobuf.Reader): bigint {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = reader.buf[reader.pos++] ?? 0;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return BigInt.asIntN(64, value);
}

function asBigint(cell: Cell): bigint {
  if (typeof cell !== 'bigint') throw new TypeError(`Expected a bigint, got ${typeof cell}`);
  return cell;
}
