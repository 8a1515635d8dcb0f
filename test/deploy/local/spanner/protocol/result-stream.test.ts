import assert from 'node:assert/strict';
import { test } from 'node:test';
import protos from '@google-cloud/spanner-api/build/protos/protos.js';
import fc from 'fast-check';
import {
  decodePosition,
  type MessageSizes,
  resultStream,
  type StreamPosition,
  type StreamRow,
} from '../../../../../deploy/local/spanner/protocol/result-stream.ts';
import type { Cell, SpannerType } from '../../../../../deploy/local/spanner/values.ts';

const { PartialResultSet, ResultSetMetadata } = protos.google.spanner.v1;
const STRING: SpannerType = { code: 'STRING' };
const TYPES: readonly SpannerType[] = [
  STRING,
  { code: 'ARRAY', element: STRING },
  { code: 'ARRAY', element: { code: 'FLOAT64' } },
  { code: 'INT64' },
];

const SMALL: MessageSizes = { messageBytes: 200, rowBytes: 400, pieceCharacters: 50 };

type Json = null | boolean | number | string | Json[];
type Value = {
  stringValue?: string | null;
  numberValue?: number | null;
  boolValue?: boolean | null;
  listValue?: { values?: Value[] | null } | null;
};

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc
    .tuple(fc.constantFrom('a', 'é', '😀', 'x😀'), fc.integer({ min: 1, max: 300 }))
    .map(([unit, n]) => unit.repeat(n / unit.length)),
);
const row = fc.tuple(
  fc.option(text),
  fc.option(fc.array(fc.option(text), { maxLength: 4 })),
  fc.option(fc.tuple(fc.double(), fc.integer({ min: 0, max: 60 })).map(([value, n]) => Array<number>(n).fill(value))),
  fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
);

test('resultStream() gives every value back after the merge that the protocol prescribes', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 8, size: 'max' }), (cells) => {
      const messages = [...stream(cells)].map((bytes) => PartialResultSet.decode(bytes));
      assert.deepEqual(merge(messages), cells.flat().map(toJson));
      for (const { resumeToken } of messages) assert.ok(resumeToken.length > 0);
      assert.ok(messages.at(-1)?.last && !messages.at(-1)?.chunkedValue);
    }),
    { numRuns: 500 },
  );
});

test('resultStream() goes on behind every resume token with exactly what is missing', () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 3 }), fc.nat(), (cells, at) => {
      const whole = [...stream(cells)];
      const cut = at % whole.length;
      const token = PartialResultSet.decode(whole[cut] ?? Buffer.alloc(0)).resumeToken;
      const head = whole.slice(0, cut + 1).map((bytes) => PartialResultSet.decode(bytes));
      const tail = [...stream(cells, decodePosition(token as Uint8Array))].map((bytes) =>
        PartialResultSet.decode(bytes),
      );
      assert.deepEqual(merge([...head, ...tail]), cells.flat().map(toJson));
    }),
    { numRuns: 500 },
  );
});

test('resultStream() keeps its messages below 1.1 MB unless told otherwise', () => {
  const big = 'x'.repeat(9_000_000);
  const rows: Cell[][] = [[big, [big], null, 1n]];
  for (let i = 0n; i < 20_000n; i++) rows.push(['row', [], [], i]);
  const sizes = [...stream(rows, undefined, 'default')].map((bytes) => bytes.length);
  assert.ok(Math.max(...sizes) <= 1_100_000, `${Math.max(...sizes)} bytes in one message`);
  assert.ok(sizes.length > 20);
});

function stream(
  cells: readonly (readonly Cell[])[],
  position?: StreamPosition,
  sizes: MessageSizes | 'default' = SMALL,
): Iterable<Buffer> {
  const start = position ?? { timestamp: 1, rows: 0, pieces: 0, key: undefined };
  const rows = cells.map((row, i): StreamRow => [`\0\n${i}/ÿ`, row]);
  return resultStream({
    rows: rows.slice(start.rows),
    places: TYPES.map((_, place) => place),
    types: TYPES,
    metadata: ResultSetMetadata.encode({ rowType: {} }).finish(),
    position: start,
    ...(sizes !== 'default' && { sizes }),
  });
}

/** As the comment on `PartialResultSet.chunked_value` says. */
function merge(messages: readonly { values?: Value[] | null; chunkedValue?: boolean | null }[]): Json[] {
  const all: Json[] = [];
  let open = false;
  for (const { values, chunkedValue } of messages) {
    const parts = (values ?? []).map(plain);
    if (open && parts.length > 0) {
      const [first = null] = parts.splice(0, 1);
      all.push(...mergeTwo(all.pop() ?? null, first));
    }
    all.push(...parts);
    open = chunkedValue ?? false;
  }
  return all;
}

function mergeTwo(head: Json, tail: Json): Json[] {
  if (typeof head === 'string' && typeof tail === 'string') return [head + tail];
  if (!Array.isArray(head) || !Array.isArray(tail)) return [head, tail];
  if (head.length === 0 || tail.length === 0) return [[...head, ...tail]];
  const joined = mergeTwo(head.at(-1) ?? null, tail[0] ?? null);
  return [[...head.slice(0, -1), ...joined, ...tail.slice(1)]];
}

function plain(value: Value): Json {
  if (value.listValue) return (value.listValue.values ?? []).map(plain);
  return value.stringValue ?? value.numberValue ?? value.boolValue ?? null;
}

function toJson(cell: Cell): Json {
  if (typeof cell === 'bigint') return cell.toString();
  if (typeof cell === 'number' && !Number.isFinite(cell)) return String(cell);
  if (Buffer.isBuffer(cell)) return cell.toString('base64');
  return typeof cell === 'object' && cell !== null ? cell.map(toJson) : cell;
}
