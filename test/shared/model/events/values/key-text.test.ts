import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Cell } from '../../../../../shared/model/events/values/cell.ts';
import { cellsOfKeyText, keyText } from '../../../../../shared/model/events/values/key-text.ts';

const odd = fc.constantFrom('', '[null]', '["a"]', '[1]', 'null', 'NaN', '\0', '[');
const text = fc.oneof(fc.string({ unit: 'grapheme' }), odd);
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom('NaN', 'Infinity', '-Infinity'),
);

/** Keys of one type of column each, as they come in one table. */
const columns: fc.Arbitrary<fc.Arbitrary<Cell>> = fc.constantFrom<fc.Arbitrary<Cell>>(
  fc.option(text),
  fc.option(number),
  fc.option(fc.boolean()),
);

test('keyText() is equal exactly for equal keys, and cellsOfKeyText() gives the key back', () => {
  const keys = fc
    .array(columns, { minLength: 1, maxLength: 3 })
    .chain((types) => fc.array(fc.tuple(...types), { minLength: 2, maxLength: 2 }));
  fc.assert(
    fc.property(keys, ([left = [], right = []]) => {
      assert.equal(keyText(left) === keyText(right), JSON.stringify(left) === JSON.stringify(right));
      const isText = typeof left[0] === 'string' && !['NaN', 'Infinity', '-Infinity'].includes(left[0]);
      const read = cellsOfKeyText(keyText(left), left.length, isText);
      assert.equal(JSON.stringify(read), JSON.stringify(left));
    }),
    { numRuns: 5_000 },
  );
});
