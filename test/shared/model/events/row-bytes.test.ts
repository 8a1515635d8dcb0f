import assert from 'node:assert/strict';
import { test } from 'node:test';
import { protos } from '@google-cloud/spanner';
import fc from 'fast-check';
import { type EncodedRow, encodeRow, WireWriter } from '../../../../shared/model/events/row-bytes.ts';
import type { Cell } from '../../../../shared/model/events/values/cell.ts';

const { Write } = protos.google.spanner.v1.Mutation;

function bytesOf(row: EncodedRow): Buffer {
  return row.arena.bytes.subarray(row.from, row.to);
}

/** Rows as Google's own decoder reads them. */
function decode(rows: readonly EncodedRow[]): unknown[] {
  const write = Write.decode(Buffer.concat(rows.map(bytesOf)));
  return write.values.map(({ values }) => (values ?? []).map(cellOf));
}

type Value = protos.google.protobuf.IValue;

function cellOf(value: Value): unknown {
  if (typeof value.stringValue === 'string') return value.stringValue;
  if (typeof value.numberValue === 'number') return value.numberValue;
  if (typeof value.boolValue === 'boolean') return value.boolValue;
  if (value.listValue) return (value.listValue.values ?? []).map(cellOf);
  return null;
}

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.nat(40_000).map((length) => 'ä'.repeat(length)),
  fc.integer({ min: 120, max: 130 }).map((length) => 'x'.repeat(length)),
);
const scalar: fc.Arbitrary<Cell> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  text,
);
const row: fc.Arbitrary<Cell[]> = fc.array(fc.oneof(scalar, fc.array(scalar, { maxLength: 40 })), { maxLength: 12 });

test('encodeRow() writes what Google’s decoder reads back, whatever the lengths of rows before', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 6 }), fc.integer({ min: 32, max: 2_000 }), (rows, firstBytes) => {
      const writer = new WireWriter(firstBytes);
      const encoded = rows.map((cells) => encodeRow(writer, cells));
      assert.deepEqual(decode(encoded), rows);
      // One after the other, so that neighbours are copied at once.
      encoded.forEach(({ from }, at) => {
        assert.equal(from, encoded[at - 1]?.to ?? 0);
      });
    }),
    { numRuns: 300 },
  );
});

test('encodeRow() writes numbers that are not finite as text', () => {
  const encoded = encodeRow(new WireWriter(), [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  assert.deepEqual(decode([encoded]), [['NaN', 'Infinity', '-Infinity']]);
});

test('WireWriter takes a row back as if it had never begun', () => {
  fc.assert(
    fc.property(row, row, row, (before, dropped, after) => {
      const writer = new WireWriter(64);
      const first = encodeRow(writer, before);
      const from = writer.beginRow();
      for (const cell of dropped) writer.cell(cell);
      writer.dropRow(from);
      assert.equal(writer.at, first.to);
      assert.deepEqual(decode([first, encodeRow(writer, after)]), [before, after]);
    }),
    { numRuns: 200 },
  );
});

test('WireWriter copies UTF-8 of any length from other bytes', () => {
  fc.assert(
    fc.property(text, (value) => {
      const source = Buffer.from(`<${value}>`);
      const writer = new WireWriter(16);
      const from = writer.beginRow();
      writer.utf8(source, 1, source.length - 1);
      assert.deepEqual(decode([writer.endRow(from)]), [[value.toWellFormed()]]);
    }),
    { numRuns: 200 },
  );
});
