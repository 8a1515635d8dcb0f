import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareKeys, type Key, type KeyColumn } from '../../../../shared/model/epochs/key.ts';
import { keyAt } from '../../../../shared/model/epochs/key-at.ts';
import { containsKey, rangesBetween } from '../../../../shared/model/epochs/key-range.ts';
import { orderRows, Reblocker } from '../../../../shared/model/epochs/order-rows.ts';
import type { ColumnBlock } from '../../../../shared/model/tensors/column-vector.ts';

/** Numbers, and the same again as texts. */
function blockOf(values: readonly number[]): ColumnBlock {
  const texts = values.map((value) => Buffer.from(String(value)));
  const offsets = new Int32Array(values.length + 1);
  for (const [at, { length }] of texts.entries()) offsets[at + 1] = (offsets[at] ?? 0) + length;
  const nulls = new Uint8Array(values.length);
  return {
    rowCount: values.length,
    columns: [
      { kind: 'int64', nulls, values: BigInt64Array.from(values, BigInt) },
      { kind: 'text', nulls, offsets, bytes: Buffer.concat(texts) },
    ],
  };
}

function valuesOf(blocks: readonly ColumnBlock[]): number[] {
  return blocks.flatMap((block) =>
    Array.from({ length: block.rowCount }, (_, row) => {
      const [[number], [text]] = [keyAt(block, 1, row), keyAt({ ...block, columns: block.columns.slice(1) }, 1, row)];
      assert.equal(number, text, 'a row stays whole');
      return Number(number);
    }),
  );
}

function key(descending: boolean): KeyColumn[] {
  return [{ name: 'K', code: 'INT64', descending }];
}

const numbers = fc.uniqueArray(fc.integer({ min: -500, max: 500 }), { maxLength: 40 });

test('orderRows() puts rows into the order of their key, in whatever order and parts they came, and refuses one that came twice', () => {
  const parts = numbers.chain((values) =>
    fc.record({
      values: fc.constant(values),
      cuts: fc.array(fc.integer({ min: 0, max: values.length }), { maxLength: 4 }),
      descending: fc.boolean(),
    }),
  );
  fc.assert(
    fc.property(parts, ({ values, cuts, descending }) => {
      const places = [0, ...cuts.toSorted((one, other) => one - other), values.length];
      const blocks = places.slice(1).map((to, at) => blockOf(values.slice(places[at], to)));
      const whole = orderRows(blocks, key(descending));
      const sorted = values.toSorted((one, other) => (descending ? other - one : one - other));
      assert.deepEqual(whole ? valuesOf([whole]) : [], sorted);
      const [first] = values;
      if (first !== undefined) {
        assert.throws(() => orderRows([...blocks, blockOf([first])], key(descending)), { code: 'KEY_NOT_UNIQUE' });
      }
    }),
  );
});

test('Reblocker gives blocks of one size, and the rest at the end', () => {
  const blocks = fc.array(fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 1, maxLength: 12 }), { maxLength: 8 });
  fc.assert(
    fc.property(blocks, fc.integer({ min: 1, max: 9 }), (given, blockRows) => {
      const reblocker = new Reblocker(blockRows);
      const full = given.flatMap((values) => reblocker.push(blockOf(values)));
      const rest = reblocker.finish();
      assert.ok(full.every(({ rowCount }) => rowCount === blockRows));
      assert.ok(rest === undefined || (rest.rowCount > 0 && rest.rowCount < blockRows));
      assert.deepEqual(valuesOf(rest ? [...full, rest] : full), given.flat());
    }),
  );
});

test('rangesBetween() cuts a range at the keys within it, and covers it exactly once', () => {
  const bound = fc.option(fc.integer({ min: -60, max: 60 }));
  fc.assert(
    fc.property(numbers, bound, bound, fc.boolean(), (cuts, from, to, descending) => {
      const columns = key(descending);
      const keyOf = (value: number): Key => [String(value)];
      const range = { from: from === null ? undefined : keyOf(from), to: to === null ? undefined : keyOf(to) };
      const sorted = cuts.map(keyOf).toSorted((one, other) => compareKeys(columns, one, other));
      const ranges = rangesBetween(columns, range, sorted);
      for (let value = -70; value <= 70; value += 1) {
        const found = ranges.filter((one) => containsKey(columns, one, keyOf(value))).length;
        assert.equal(found, Number(containsKey(columns, range, keyOf(value))));
      }
    }),
  );
});
