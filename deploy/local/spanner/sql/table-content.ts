import protobuf from 'protobufjs';
import type { Column } from '../schema.ts';
import type { Cell, SpannerType } from '../values.ts';
import { readValue, writeValue } from './value-proto.ts';

const LENGTH_DELIMITED_1 = 10;
const LENGTH_DELIMITED_2 = 18;

/**
 * Rows as a zetasql.local_service.TableData.
 *
 * @param used positions of the columns that the query reads; the others are left NULL
 * @param maxBytes no row is added once the data is larger
 * @returns the data and how many rows it holds
 */
export function encodeRows(
  columns: readonly Pick<Column, 'type'>[],
  used: ReadonlySet<number>,
  rows: Iterable<readonly Cell[]>,
  maxBytes: number,
): { data: Uint8Array; count: number } {
  const writer = protobuf.Writer.create();
  let count = 0;
  for (const row of rows) {
    if (writer.len > maxBytes) break;
    writeRow(writer, columns, used, row);
    count++;
  }
  return { data: writer.finish(), count };
}

/** One entry of a request's `table_content` map, to be appended to the request's bytes. */
export function tableContentEntry(mapField: number, table: string, data: Uint8Array): Uint8Array {
  const writer = protobuf.Writer.create();
  writer.uint32((mapField << 3) | 2).fork();
  writer.uint32(LENGTH_DELIMITED_1).string(table);
  writer.uint32(LENGTH_DELIMITED_2).fork();
  writer.uint32(LENGTH_DELIMITED_1).bytes(data);
  writer.ldelim().ldelim();
  return writer.finish();
}

/** The rows of a zetasql.local_service.EvaluateQueryResponse. */
export function decodeRows(response: Uint8Array, types: readonly SpannerType[]): Cell[][] {
  const reader = protobuf.Reader.create(response);
  const rows: Cell[][] = [];
  eachField(reader, reader.len, 1, (contentEnd) => {
    eachField(reader, contentEnd, 1, (dataEnd) => {
      eachField(reader, dataEnd, 1, (rowEnd) => {
        rows.push(readRow(reader, rowEnd, types));
      });
    });
  });
  return rows;
}

function writeRow(
  writer: protobuf.Writer,
  columns: readonly Pick<Column, 'type'>[],
  used: ReadonlySet<number>,
  row: readonly Cell[],
): void {
  writer.uint32(LENGTH_DELIMITED_1).fork();
  columns.forEach((column, position) => {
    writer.uint32(LENGTH_DELIMITED_1).fork();
    if (used.has(position)) writeValue(writer, column.type, row[position] ?? null);
    writer.ldelim();
  });
  writer.ldelim();
}

function readRow(reader: protobuf.Reader, end: number, types: readonly SpannerType[]): Cell[] {
  const row: Cell[] = [];
  eachField(reader, end, 1, (cellEnd) => {
    const type = types[row.length];
    if (!type) throw new RangeError(`The SQL evaluator answered with more than ${types.length} columns`);
    row.push(readValue(reader, cellEnd, type));
  });
  return row;
}

/** Calls `read` at each message in the given field; skips all others. */
function eachField(reader: protobuf.Reader, end: number, field: number, read: (end: number) => void): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === field) read(reader.uint32() + reader.pos);
    else reader.skipType(tag & 7);
  }
}
