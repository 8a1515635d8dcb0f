import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EncodedChange } from '../../../../../shared/model/events/resolve/encoded-change.ts';
import { RowsByKey } from '../../../../../shared/model/events/resolve/rows-by-key.ts';
import { WireWriter } from '../../../../../shared/model/events/row-bytes.ts';

const shape = { columns: ['K'], absent: [] };

/** A row of one text, which is its key. */
function rowOf(writer: WireWriter, key: string): EncodedChange {
  const from = writer.beginRow();
  writer.text(key);
  const row = writer.endRow(from);
  return new EncodedChange(writer, row.from, row.to, row.to - Buffer.byteLength(key), row.to, shape);
}

function check(keys: readonly string[]): void {
  const writer = new WireWriter(64);
  const table = new RowsByKey(writer);
  const last = new Map<string, EncodedChange>();
  for (const key of keys) {
    const row = rowOf(writer, key);
    assert.equal(row.keyText, key);
    assert.ok(table.set(row));
    last.set(key, row);
  }
  assert.deepEqual(
    table.rows.map((row) => [row.keyText, row.from]),
    [...last].map(([key, row]) => [key, row.from]),
  );
}

test('RowsByKey keeps the last row of each key, as a map of texts would', () => {
  const key = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 20 }), fc.constantFrom('', 'a', 'b', 'ab', 'ba'));
  fc.assert(fc.property(fc.array(key, { maxLength: 60 }), check));
});

test('RowsByKey grows beyond its first places, with every key found again', () => {
  const keys = Array.from({ length: 5_000 }, (_, at) => `key-${at % 3_000}`);
  check(keys);
});

test('RowsByKey takes no row of another arena, and none whose key is no single text', () => {
  const writer = new WireWriter();
  const table = new RowsByKey(writer);
  const row = rowOf(writer, 'a');
  assert.equal(table.set(rowOf(new WireWriter(), 'a')), false);
  assert.equal(table.set(new EncodedChange(writer, row.from, row.to, -1, -1, shape, '["a","b"]')), false);
  assert.ok(table.set(row));
});
