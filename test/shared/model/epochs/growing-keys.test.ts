import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { growingKeys } from '../../../../shared/model/epochs/growing-keys.ts';
import type { KeyColumn } from '../../../../shared/model/epochs/key.ts';
import type { ColumnBlock } from '../../../../shared/model/tensors/column-vector.ts';

function blockOf(values: readonly bigint[]): ColumnBlock {
  const nulls = new Uint8Array(values.length);
  return { rowCount: values.length, columns: [{ kind: 'int64', nulls, values: BigInt64Array.from(values) }] };
}

const blocks = fc.array(fc.array(fc.bigInt({ min: -9n, max: 9n }), { minLength: 1, maxLength: 5 }), { maxLength: 4 });

const firsts = fc.option(fc.bigInt({ min: -9n, max: 9n }));

test('growingKeys() lets through exactly the blocks whose keys strictly grow, across blocks and behind a key', () => {
  fc.assert(
    fc.property(blocks, fc.boolean(), fc.boolean(), firsts, (given, isGrowing, descending, first) => {
      const sorted = isGrowing ? growing(given) : given;
      const key: readonly KeyColumn[] = [{ name: 'K', code: 'INT64', descending }];
      const all = [...(first === null ? [] : [first]), ...sorted.flat()];
      const grows = all.every((value, at) => {
        const before = all[at - 1];
        return before === undefined || (descending ? value < before : value > before);
      });
      const check = growingKeys({ name: 'the query', key, after: first === null ? undefined : [String(first)] });
      const run = (): void => sorted.map(blockOf).forEach(check);
      if (grows) run();
      else assert.throws(run, { code: 'KEY_NOT_UNIQUE' });
    }),
  );
});

/** The same numbers of rows, growing. */
function growing(given: readonly (readonly bigint[])[]): bigint[][] {
  let next = -9n;
  return given.map((block) => block.map(() => next++));
}
