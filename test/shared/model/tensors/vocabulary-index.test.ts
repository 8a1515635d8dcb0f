import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { vocabularyIndex } from '../../../../shared/model/tensors/vocabulary-index.ts';

/** Of few characters, so that many are the beginning of another; NUL too, which a short text's padding looks like. */
const text = fc.string({ unit: fc.constantFrom('a', 'b', '\0', 'é'), maxLength: 10 });

test('vocabularyIndex() finds texts of any length where Array.indexOf() does, and no others', () => {
  fc.assert(
    fc.property(fc.uniqueArray(text, { maxLength: 40 }), fc.array(text, { maxLength: 40 }), (values, others) => {
      const texts = [...others, ...values].map((value) => Buffer.from(value));
      const offsets = new Int32Array(texts.length + 1);
      for (const [at, { length }] of texts.entries()) offsets[at + 1] = (offsets[at] ?? 0) + length;
      const rows = Int32Array.from(texts.keys()).reverse();
      const places = new Int32Array(rows.length);
      vocabularyIndex(values)({ bytes: Buffer.concat(texts), offsets }, rows, places);
      const wanted = [...others, ...values].map((value) => values.indexOf(value)).reverse();
      assert.deepEqual([...places], wanted);
    }),
    { numRuns: 1_000 },
  );
});
