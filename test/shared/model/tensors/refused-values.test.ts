import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Feed } from '../../../../shared/model/config/declaration.ts';
import type { Transform } from '../../../../shared/model/config/transform.ts';
import { batchEncoder } from '../../../../shared/model/tensors/encode-batch.ts';
import { fitTransforms } from '../../../../shared/model/tensors/fit-transforms.ts';
import { columnOf, type Plain } from './plain-columns.ts';

type Rest<T> = T extends Transform ? Omit<T, 'tensor' | 'column'> : never;

/** Encodes a good row and then this one, whose key is `k-2`. */
function encode(type: string, value: Plain, given: Rest<Transform>, good: Plain): void {
  const transform = { tensor: 't', column: 'C', ...given } as Transform;
  const rest = { label: undefined, split: undefined, shards: 1, shardRows: undefined, schedule: undefined };
  const feed: Feed = {
    name: 'f',
    table: 'T',
    transforms: [transform],
    batchRows: 8,
    seed: 1,
    trainer: undefined,
    ...rest,
  };
  const fit = fitTransforms(feed, ['Id', 'C'], new Map([['c', type]]));
  const block = { rowCount: 2, columns: [columnOf('STRING', ['k-1', 'k-2']), columnOf(type, [good, value])] };
  batchEncoder(fit.finish(), ['Id', 'C'], 1).encode(block, Int32Array.of(0, 1), {});
}

const cast = (as: 'int32' | 'int64' | 'uint8' | 'float32' | 'bool', more: { scale?: number; unit?: 'ns' } = {}) =>
  ({ kind: 'cast', as, fillNull: undefined, ...more }) as const;
const list = (more: { pad?: number; truncate?: boolean }) =>
  ({ kind: 'list', as: 'uint8', length: 2, pad: undefined, truncate: false, fillNull: undefined, ...more }) as const;

const refused: readonly (readonly [string, string, Plain, Rest<Transform>, Plain])[] = [
  ['an INT64 past int32', 'INT64', 2n ** 31n, cast('int32'), 1n],
  ['an INT64 past uint8', 'INT64', 256n, cast('uint8'), 1n],
  ['a negative uint8', 'INT64', -1n, cast('uint8'), 1n],
  ['a fraction as int32', 'FLOAT64', 1.5, cast('int32'), 1],
  ['NaN as int64', 'FLOAT64', Number.NaN, cast('int64'), 1],
  ['NaN as bool', 'FLOAT64', Number.NaN, cast('bool'), 1],
  ['2^63 as int64', 'FLOAT64', 2 ** 63, cast('int64'), -(2 ** 63)],
  ['1e39 as float32', 'FLOAT64', 1e39, cast('float32'), 3e38],
  ['a NUMERIC of three digits at scale 2', 'NUMERIC', '1.005', cast('int64', { scale: 2 }), '1.05'],
  ['a NUMERIC past int64', 'NUMERIC', '92233720368547758.08', cast('int64', { scale: 2 }), '92233720368547758.07'],
  [
    'a NUMERIC that a double would round to a whole number',
    'NUMERIC',
    '2147483647.000000001',
    cast('int32'),
    '2147483647',
  ],
  ['a TIMESTAMP past nanoseconds in 64 bits', 'TIMESTAMP', 2n ** 63n, cast('int64', { unit: 'ns' }), 2n ** 63n - 1n],
  ['NULL without fillNull', 'INT64', null, cast('int64'), 1n],
  ['an array that is too long', 'ARRAY<INT64>', [1n, 2n, 3n], list({ pad: 0 }), [1n]],
  ['an array that is too short', 'ARRAY<INT64>', [1n], list({ truncate: true }), [1n, 2n, 3n]],
  ['a NULL item', 'ARRAY<INT64>', [1n, null], list({}), [1n, 2n]],
  ['an item past its type', 'ARRAY<INT64>', [1n, 999n], list({}), [1n, 2n]],
  ['a NULL array', 'ARRAY<INT64>', null, list({}), [1n, 2n]],
  [
    'a string that is too long',
    'STRING',
    'éé',
    { kind: 'text', length: 3, truncate: false, fillNull: undefined },
    'ééé'.slice(0, 1),
  ],
  [
    'a bucket of NaN',
    'FLOAT64',
    Number.NaN,
    { kind: 'bucket', bounds: [0], quantiles: undefined, oneHot: false, fillNull: undefined },
    Number.POSITIVE_INFINITY,
  ],
  [
    'a hash of NULL',
    'STRING',
    null,
    { kind: 'hash', cross: undefined, buckets: 5, oneHot: false, fillNull: undefined },
    '',
  ],
  ['a part of NULL', 'DATE', null, { kind: 'part', part: 'month', zone: 'UTC', oneHot: undefined }, '2026-01-01'],
];

for (const [what, type, value, transform, good] of refused) {
  test(`batchEncoder() refuses ${what}, naming the row's key and the column`, () => {
    assert.throws(
      () => encode(type, value, transform, good),
      (error) => {
        assert.ok(error instanceof Error);
        assert.match(error.message, /^Tensor t of column C in row \["k-2"\]: /);
        return true;
      },
    );
    encode(type, good, transform, good);
  });
}
