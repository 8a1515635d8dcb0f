import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readSafetensors, type Tensor } from '../../../../deploy/local/trainer/safetensors.ts';
import type { Feed } from '../../../../shared/model/config/declaration.ts';
import type { Transform } from '../../../../shared/model/config/transform.ts';
import type { ColumnBlock } from '../../../../shared/model/tensors/column-vector.ts';
import { datePartNames, isPartOfDay } from '../../../../shared/model/tensors/date-part.ts';
import { batchEncoder } from '../../../../shared/model/tensors/encode-batch.ts';
import { fitTransforms, type TransformFit } from '../../../../shared/model/tensors/fit-transforms.ts';
import { columnOf, type Plain } from './plain-columns.ts';
import { applyPlainly, type FittedJson } from './plain-transforms.ts';

const types: Readonly<Record<string, string>> = {
  Small: 'INT64',
  Wide: 'INT64',
  Real: 'FLOAT64',
  Sure: 'FLOAT64',
  Price: 'NUMERIC',
  Flag: 'BOOL',
  Name: 'STRING',
  City: 'STRING',
  Blob: 'BYTES',
  Day: 'DATE',
  At: 'TIMESTAMP',
  Marks: 'ARRAY<INT64>',
  Vector: 'ARRAY<FLOAT32>',
};
const columns = Object.keys(types);
const typesByName = new Map(columns.map((name) => [name.toLowerCase(), types[name] ?? '']));

const text = fc.string({ unit: 'grapheme', maxLength: 6 }).filter((value) => Buffer.byteLength(value) <= 12);
const real = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 }),
  fc.integer({ min: -9, max: 9 }),
);
const nullable = (arbitrary: fc.Arbitrary<Plain>): fc.Arbitrary<Plain> => fc.option(arbitrary, { freq: 5 });
const row = fc.record<Record<string, Plain>>({
  Small: nullable(fc.bigInt({ min: -200n, max: 200n })),
  Wide: nullable(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  Real: nullable(fc.oneof(real, fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0))),
  Sure: fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 }),
  Price: nullable(
    fc
      .tuple(fc.integer({ min: -9999, max: 9999 }), fc.integer({ min: 1, max: 99 }))
      .map(([whole, cents]) => `${whole === 0 ? '-0' : whole}.${String(cents).padStart(2, '0').replace(/0$/, '')}`),
  ),
  Flag: nullable(fc.boolean()),
  Name: nullable(text),
  City: fc.constantFrom('ORD', 'SFO', 'é', ''),
  Blob: nullable(fc.uint8Array({ maxLength: 9 })),
  Day: nullable(
    fc
      .date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T00:00:00Z'), noInvalidDate: true })
      .map((date) => date.toISOString().slice(0, 10)),
  ),
  At: nullable(fc.bigInt({ min: -5_000_000_000_000_000_000n, max: 9_000_000_000_000_000_000n })),
  Marks: nullable(fc.array(fc.option(fc.bigInt({ min: -99n, max: 99n }), { freq: 4 }), { maxLength: 6 })),
  Vector: nullable(fc.array(fc.float({ noNaN: true }), { minLength: 3, maxLength: 3 })),
});

const fill = { fillNull: -3 };
const transforms: Transform[] = [
  { tensor: 'small', column: 'Small', kind: 'cast', as: 'int32', ...fill },
  { tensor: 'wide', column: 'Wide', kind: 'cast', as: 'int64', ...fill },
  { tensor: 'wide_float', column: 'Wide', kind: 'cast', as: 'float64', ...fill },
  { tensor: 'wide_half', column: 'Wide', kind: 'cast', as: 'float32', ...fill },
  { tensor: 'real', column: 'Real', kind: 'cast', as: 'float32', ...fill },
  { tensor: 'sure', column: 'Sure', kind: 'cast', as: 'float64', fillNull: undefined },
  { tensor: 'price', column: 'Price', kind: 'cast', as: 'float64', ...fill },
  { tensor: 'cents', column: 'Price', kind: 'cast', as: 'int64', scale: 2, ...fill },
  { tensor: 'flag', column: 'Flag', kind: 'cast', as: 'bool', fillNull: 0 },
  { tensor: 'flag_byte', column: 'Flag', kind: 'cast', as: 'uint8', fillNull: 7 },
  { tensor: 'days', column: 'Day', kind: 'cast', as: 'int32', ...fill },
  ...(['s', 'ms', 'us', 'ns'] as const).map(
    (unit): Transform => ({ tensor: `at_${unit}`, column: 'At', kind: 'cast', as: 'int64', unit, ...fill }),
  ),
  ...datePartNames.map(
    (part): Transform => ({
      tensor: `at_${part}`,
      column: 'At',
      kind: 'part',
      part,
      zone: 'America/Chicago',
      oneHot: undefined,
      fillNull: 1,
    }),
  ),
  ...datePartNames.filter(isPartOfDay).map(
    (part): Transform => ({
      tensor: `day_${part}`,
      column: 'Day',
      kind: 'part',
      part,
      zone: 'UTC',
      oneHot: undefined,
      fillNull: 1,
    }),
  ),
  { tensor: 'quarter_hot', column: 'At', kind: 'part', part: 'quarter', zone: 'Asia/Kolkata', oneHot: 4, fillNull: 2 },
  { tensor: 'normal', column: 'Real', kind: 'normalise', method: 'mean-variance', fillNull: 'mean' },
  { tensor: 'range', column: 'Sure', kind: 'normalise', method: 'min-max', fillNull: undefined },
  {
    tensor: 'bucket',
    column: 'Real',
    kind: 'bucket',
    bounds: [-5, -0.5, 0, 3.25],
    quantiles: undefined,
    oneHot: false,
    ...fill,
  },
  { tensor: 'bucket_hot', column: 'Small', kind: 'bucket', bounds: undefined, quantiles: 4, oneHot: true, ...fill },
  { tensor: 'name_id', column: 'Name', kind: 'vocabulary', maxSize: 3, unknown: 4, minCount: 2 },
  { tensor: 'city_hot', column: 'City', kind: 'vocabulary', maxSize: 3, unknown: 1, oneHot: true, fillNull: 'SFO' },
  {
    tensor: 'name_hash',
    column: 'Name',
    kind: 'hash',
    cross: undefined,
    buckets: 1000,
    oneHot: false,
    fillNull: 'none',
  },
  { tensor: 'blob_hash', column: 'Blob', kind: 'hash', cross: undefined, buckets: 7, oneHot: true, fillNull: '' },
  { tensor: 'crossed', column: 'City', kind: 'hash', cross: 'Small', buckets: 1_000_003, oneHot: false, fillNull: 'x' },
  { tensor: 'name_bytes', column: 'Name', kind: 'text', length: 5, truncate: true, fillNull: 'né' },
  { tensor: 'blob_bytes', column: 'Blob', kind: 'text', length: 4, truncate: true, fillNull: '' },
  { tensor: 'marks', column: 'Marks', kind: 'list', as: 'int64', length: 4, pad: -1, truncate: true, ...fill },
  {
    tensor: 'vector',
    column: 'Vector',
    kind: 'list',
    as: 'float32',
    length: 3,
    pad: undefined,
    truncate: false,
    fillNull: 0,
  },
];

const feed: Feed = {
  name: 'f',
  table: 'T',
  transforms,
  label: { column: 'Sure', greaterThan: 0 },
  weight: { kind: 'balanced' },
  split: undefined,
  batchRows: 8,
  shards: 1,
  shardRows: undefined,
  seed: 1,
  schedule: undefined,
  trainer: undefined,
};

function blockOf(rows: readonly Readonly<Record<string, Plain>>[]): ColumnBlock {
  return {
    rowCount: rows.length,
    columns: columns.map((name) =>
      columnOf(
        types[name] ?? '',
        rows.map((of) => of[name] ?? null),
      ),
    ),
  };
}

function beginFit(): TransformFit {
  return fitTransforms(feed, columns, typesByName);
}

function valuesOf({ dtype, bytes }: Tensor): (number | bigint)[] {
  const { buffer } = Uint8Array.from(bytes);
  switch (dtype) {
    case 'F64':
      return [...new Float64Array(buffer)];
    case 'F32':
      return [...new Float32Array(buffer)];
    case 'I64':
      return [...new BigInt64Array(buffer)];
    case 'I32':
      return [...new Int32Array(buffer)];
    default:
      return [...new Uint8Array(buffer)];
  }
}

test('batchEncoder() gives what a plain program makes of the fitted JSON and the rows, for every transform', () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 12 }), (rows) => {
      const fit = beginFit();
      fit.add(blockOf(rows));
      const fitted = fit.finish();
      const order = Int32Array.from(rows.keys()).toReversed();
      const { tensors } = readSafetensors(batchEncoder(fitted, columns).encode(blockOf(rows), order, {}));
      const json: FittedJson[] = JSON.parse(JSON.stringify(fitted));
      const expected = new Map<string, (number | bigint)[]>();
      for (const at of order) {
        for (const transform of json) {
          for (const [name, values] of Object.entries(applyPlainly(transform, rows[at] ?? {}))) {
            expected.set(name, [...(expected.get(name) ?? []), ...values]);
          }
        }
      }
      assert.deepEqual([...tensors.keys()].toSorted(), [...expected.keys()].toSorted());
      for (const [name, tensor] of tensors) {
        const shown = (values: readonly (number | bigint)[]): (number | bigint)[] =>
          values.map((value) => (typeof value === 'number' ? value + 0 : value));
        assert.deepEqual(shown(valuesOf(tensor)), shown(expected.get(name) ?? []), name);
      }
    }),
    { numRuns: 60 },
  );
});

test('fitTransforms() learns the same to the last bit in whatever parts and order the rows come, also by way of JSON', () => {
  const parted = fc.array(fc.tuple(row, fc.integer({ min: 0, max: 3 })), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(parted, fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), (rows, order) => {
      const whole = beginFit();
      whole.add(blockOf(rows.map(([of]) => of)));
      const merged = beginFit();
      for (const part of order) {
        const partial = beginFit();
        partial.add(blockOf(rows.filter(([, of]) => of === part).map(([of]) => of)));
        merged.merge(JSON.parse(JSON.stringify(partial.state())));
      }
      assert.deepEqual(merged.finish(), whole.finish());
    }),
    { numRuns: 150 },
  );
});
