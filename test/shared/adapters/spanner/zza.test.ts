import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { protos } from '@google-cloud/spanner';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { DecodeError } from '../../../../shared/adapters/spanner/reader/reader-error.ts';
import { RowDecoder } from '../../../../shared/adapters/spanner/row-decoder.ts';
import type { Cell } from '../../../../shared/model/events/values/cell.ts';

const { PartialResultSet } = protos.google.spanner.v1;

/** The official message without what a reader of rows passes over: damage may open such a field, and be none of its business. */
const SeenPart = protobuf.Root.fromJSON(
  JSON.parse(
    readFileSync(createRequire(import.meta.url).resolve('@google-cloud/spanner-api/build/protos/protos.json'), 'utf8'),
  ),
).lookupType('google.spanner.v1.PartialResultSet');
for (const name of ['stats', 'resumeToken', 'cacheUpdate']) {
  const field = SeenPart.fields[name];
  if (field) SeenPart.remove(field);
}

type Value = protos.google.protobuf.IValue;

const types = { S: 'STRING', I: 'INT64', F: 'FLOAT64', B: 'BOOL', T: 'TIMESTAMP', Y: 'BYTES', N: 'NUMERIC' } as const;
const names = Object.keys(types);
const fields = [
  ...Object.entries(types).map(([name, code]) => ({ name, type: { code } })),
  { name: 'L', type: { code: 'ARRAY', arrayElementType: { code: 'STRING' } } },
];
const asked = [...names, 'L'];

function protoOf(cell: Cell): Value {
  if (cell === null) return { nullValue: 'NULL_VALUE' };
  if (typeof cell === 'string') return { stringValue: cell };
  if (typeof cell === 'boolean') return { boolValue: cell };
  if (typeof cell === 'number') return { numberValue: cell };
  return { listValue: { values: cell.map(protoOf) } };
}

function cellOf(value: Value): Cell {
  if (value.nullValue !== undefined && value.nullValue !== null) return null;
  if (typeof value.stringValue === 'string') return value.stringValue;
  if (typeof value.boolValue === 'boolean') return value.boolValue;
  if (typeof value.numberValue === 'number') return value.numberValue;
  return (value.listValue?.values ?? []).map(cellOf);
}

function encode(part: object): Buffer {
  return Buffer.from(PartialResultSet.encode(PartialResultSet.fromObject(part)).finish());
}

function message(rows: readonly (readonly Cell[])[], transaction: object = {}): Buffer {
  const values = rows.flat().map(protoOf);
  return encode({ metadata: { rowType: { fields }, ...transaction }, values, last: true });
}

function decode(...messages: readonly Buffer[]): RowDecoder {
  const decoder = new RowDecoder(asked);
  for (const one of messages) decoder.push(one);
  decoder.finish();
  return decoder;
}

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 6 });
const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const row: fc.Arbitrary<Cell[]> = fc.tuple(
  optional(text),
  optional(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)),
  optional(
    fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom('NaN', 'Infinity', '-Infinity')),
  ),
  optional(fc.boolean()),
  optional(fc.constantFrom('2026-11-21T10:00:00Z', '0001-01-01T00:00:00.000000001Z', '9999-12-31T23:59:59.999999999Z')),
  optional(fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes).toString('base64'))),
  optional(fc.constantFrom('0', '-1.5', '99999999999999999999999999999.999999999')),
  optional(fc.array(optional(text), { maxLength: 4 })),
);

test('RowDecoder gives every value of every type as it was sent, with the transaction and the newest token', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 8 }), (rows) => {
      const transaction = { id: Buffer.from('tx'), precommitToken: { seqNum: 1 } };
      const newer = encode({ precommitToken: { precommitToken: Buffer.from('p'), seqNum: 2 } });
      const decoder = decode(message(rows, { transaction }), newer);
      assert.deepEqual(decoder.rows, rows);
      assert.equal(decoder.transactionId?.toString(), 'tx');
      assert.equal(decoder.precommitToken?.sequence, 2);
    }),
  );
});

test('RowDecoder joins rows and values that come in pieces, wherever they are cut', () => {
  const whole = [['a€b', '12', 1.5, true, null, 'AAEC', '1', ['x€', 'y']]];
  const [cells = []] = whole;
  const list = [encode({ values: [protoOf(['x'])], chunkedValue: true }), encode({ values: [protoOf(['€', 'y'])] })];
  const first = encode({ metadata: { rowType: { fields } }, values: [protoOf('a')], chunkedValue: true });
  const middle = encode({ values: [protoOf('€b'), ...cells.slice(1, 7).map(protoOf)] });
  assert.deepEqual(decode(first, middle, ...list).rows, whole);
  assert.throws(() => decode(first, middle), DecodeError);
  assert.throws(() => decode(first, encode({ values: [protoOf(3)] })), DecodeError);
});

test('RowDecoder refuses columns that were not asked for, and values that their types cannot have', () => {
  const good = ['s', '1', 1, true, '2026-11-21T10:00:00Z', 'AA==', '1.5', ['x']];
  const wrong: [number, Cell][] = [
    [0, 1],
    [0, ['x']],
    [1, '1.0'],
    [1, ''],
    [1, '9223372036854775808'],
    [1, 1],
    [2, '1'],
    [3, 'true'],
    [4, '2026-02-30T00:00:00Z'],
    [4, 'now'],
    [5, 'A==='],
    [5, 'A'],
    [6, '1e5'],
    [7, 'x'],
    [7, [1]],
  ];
  assert.deepEqual(decode(message([good])).rows, [good]);
  for (const [at, cell] of wrong) {
    assert.throws(
      () => decode(message([good.map((old, place) => (place === at ? cell : old))])),
      DecodeError,
      `${asked[at]}: ${JSON.stringify(cell)}`,
    );
  }
  const other = encode({ metadata: { rowType: { fields: fields.slice(1) } }, values: [] });
  assert.throws(() => decode(other), DecodeError);
  assert.throws(() => decode(encode({ values: [protoOf('x')] })), DecodeError);
  assert.throws(() => decode(), DecodeError);
  const notUtf8 = message([good]);
  notUtf8[notUtf8.indexOf('s', notUtf8.indexOf('\x1a\x01s'))] = 0xff;
  assert.throws(() => decode(notUtf8), DecodeError);
});

test('RowDecoder never takes 10,000 damaged answers for others than the official messages see in them', () => {
  let taken = 0;
  // Bytes that may pass for a digit, a letter or a tag, so that some damage is not seen.
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(0x08, 0x0a, 0x12, 0x1a, 0x30, 0x31, 0x41, 0x7a));
  const damage = fc.record({
    rows: fc.array(row, { minLength: 2, maxLength: 6 }),
    edits: fc.array(fc.tuple(fc.nat(), byte), { minLength: 1, maxLength: 2 }),
    cut: fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat() }),
  });
  fc.assert(
    fc.property(damage, ({ rows, edits, cut }) => {
      let bytes = message(rows);
      for (const [at, byte] of edits) bytes[at % bytes.length] = byte;
      if (cut !== null) bytes = bytes.subarray(0, cut % bytes.length);
      let decoder: RowDecoder;
      try {
        decoder = decode(bytes);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
        return;
      }
      taken += 1;
      const { values, metadata } = PartialResultSet.decode(SeenPart.encode(SeenPart.decode(bytes)).finish());
      assert.equal(values.length, decoder.rows.length * asked.length);
      assert.deepEqual(normal(decoder.rows.flat()), normal(values.map(cellOf)));
      assert.deepEqual(
        metadata?.rowType?.fields?.map(({ name }) => name?.toLowerCase()),
        asked.map((name) => name.toLowerCase()),
      );
    }),
    { numRuns: 600_000, endOnFailure: true },
  );
  assert.ok(taken > 100, `${taken} of 10,000 were taken`);
});

/** A timestamp may be written in several ways. */
function normal(cells: readonly Cell[]): unknown[] {
  return cells.map((cell, at) => (at % asked.length === 4 && typeof cell === 'string' ? shortTime(cell) : cell));
}

function shortTime(text: string): string {
  return text
    .toUpperCase()
    .replace(' ', 'T')
    .replace(/0+Z$/, (zeros, at: number) => (text.includes('.') && at > 0 ? 'Z' : zeros))
    .replace('.Z', 'Z');
}
