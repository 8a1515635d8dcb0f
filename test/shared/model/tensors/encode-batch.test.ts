import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readSafetensors, type Tensor } from '../../../../deploy/local/trainer/safetensors.ts';
import type { Feed } from '../../../../shared/model/config/declaration.ts';
import type { ColumnBlock, ColumnVector } from '../../../../shared/model/tensors/column-vector.ts';
import { batchEncoder } from '../../../../shared/model/tensors/encode-batch.ts';
import { fitSplit, fitTransforms } from '../../../../shared/model/tensors/fit-transforms.ts';
import { splitRows } from '../../../../shared/model/tensors/split-rows.ts';
import { TensorError } from '../../../../shared/model/tensors/tensor-error.ts';

function nullsOf(values: readonly unknown[]): Uint8Array {
  return Uint8Array.from(values, (value) => (value === null ? 1 : 0));
}

function int64s(values: readonly (bigint | null)[]): ColumnVector {
  return { kind: 'int64', nulls: nullsOf(values), values: BigInt64Array.from(values, (value) => value ?? 0n) };
}

function floats(values: readonly (number | null)[]): ColumnVector {
  return { kind: 'float64', nulls: nullsOf(values), values: Float64Array.from(values, (value) => value ?? 0) };
}

function texts(values: readonly (string | null)[]): ColumnVector {
  const parts = values.map((value) => Buffer.from(value ?? ''));
  let end = 0;
  const offsets = Int32Array.from([0, ...parts.map((part) => (end += part.length))]);
  return { kind: 'text', nulls: nullsOf(values), offsets, bytes: Buffer.concat(parts) };
}

function moments(values: readonly string[]): ColumnVector {
  const seconds = Float64Array.from(values, (value) => Date.parse(value) / 1000);
  return { kind: 'timestamp', nulls: new Uint8Array(values.length), seconds, nanos: new Int32Array(values.length) };
}

function blockOf(...columns: ColumnVector[]): ColumnBlock {
  return { rowCount: columns[0]?.nulls.length ?? 0, columns };
}

function feedOf(transforms: Feed['transforms'], label: Feed['label'] = undefined): Feed {
  const rest = { shards: 1, shardRows: undefined, seed: 1, schedule: undefined, trainer: undefined };
  return { name: 'f', table: 'T', transforms, label, split: { by: 'a', evaluateShare: 0.25 }, batchRows: 8, ...rest };
}

/** Fits on the block, encodes all of its rows, and reads the body back with the trainer's reader. */
function encode(feed: Feed, names: readonly string[], block: ColumnBlock): Map<string, number[]> {
  const fit = fitTransforms(feed, names);
  fit.add(block);
  const encoder = batchEncoder(fit.finish(), names);
  const rows = Int32Array.from({ length: block.rowCount }, (_, row) => row);
  const { tensors } = readSafetensors(encoder.encode(block, rows, { a: 'b' }));
  assert.deepEqual([...tensors.keys()].toSorted(), encoder.specs.map(({ name }) => name).toSorted());
  return new Map([...tensors].map(([name, tensor]) => [name, numbersOf(tensor)]));
}

function numbersOf({ dtype, bytes, shape }: Tensor): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const read: Record<string, (at: number) => number> = {
    F64: (at) => view.getFloat64(at * 8, true),
    F32: (at) => view.getFloat32(at * 4, true),
    I64: (at) => Number(view.getBigInt64(at * 8, true)),
    I32: (at) => view.getInt32(at * 4, true),
    U8: (at) => view.getUint8(at),
    BOOL: (at) => view.getUint8(at),
  };
  const count = shape.reduce((product, size) => product * size, 1);
  return Array.from({ length: count }, (_, at) => read[dtype]?.(at) ?? Number.NaN);
}

test('batchEncoder() one-hot encodes hours and weekdays of a zone across its change of offset', () => {
  const instants = [
    '2026-03-08T07:59:59Z',
    '2026-03-08T08:00:00Z',
    '2026-11-01T06:30:00Z',
    '2026-11-01T07:30:00Z',
    '2026-01-01T05:59:59Z',
  ];
  const part = (name: 'hour' | 'weekday', oneHot: number | undefined) =>
    ({ tensor: name, column: 'a', kind: 'part', part: name, zone: 'America/Chicago', oneHot }) as const;
  const tensors = encode(feedOf([part('hour', 24), part('weekday', undefined)]), ['a'], blockOf(moments(instants)));
  const hours = tensors.get('hour') ?? [];
  assert.deepEqual(
    instants.map((_, row) => hours.slice(row * 24, row * 24 + 24).indexOf(1)),
    [1, 3, 1, 1, 23],
  );
  assert.equal(
    hours.reduce((sum, value) => sum + value, 0),
    instants.length,
  );
  // Sunday is 6, Wednesday 2.
  assert.deepEqual(tensors.get('weekday'), [6, 6, 6, 6, 2]);
});

test('batchEncoder() normalises by mean and variance, and fills NULL and NaN with a mask', () => {
  fc.assert(
    fc.property(
      fc.array(fc.option(fc.integer({ min: -1000, max: 1000 })), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 7 }),
      (values, size) => {
        const transform = {
          tensor: 'x',
          column: 'a',
          kind: 'normalise',
          method: 'mean-variance',
          fillNull: 'mean',
        } as const;
        const fit = fitTransforms(feedOf([transform]), ['a']);
        for (let from = 0; from < values.length; from += size)
          fit.add(blockOf(floats(values.slice(from, from + size))));
        const [state] = fit.finish();
        assert.ok(state?.kind === 'normalise');
        const present = values.filter((value) => value !== null);
        const mean = present.reduce((sum, value) => sum + value, 0) / Math.max(1, present.length);
        const variance = present.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, present.length);
        assert.ok(Math.abs(state.offset - mean) < 1e-9);
        assert.ok(Math.abs(state.scale - (Math.sqrt(variance) || 1)) < 1e-6);
      },
    ),
  );
  const transform = { tensor: 'x', column: 'a', kind: 'normalise', method: 'min-max', fillNull: 'mean' } as const;
  const tensors = encode(feedOf([transform]), ['a'], blockOf(floats([0, 10, null, 5, Number.NaN])));
  assert.deepEqual(tensors.get('x'), [0, 1, 0.5, 0.5, 0.5]);
  assert.deepEqual(tensors.get('x_mask'), [1, 1, 0, 1, 0]);
});

test('fitTransforms() keeps its precision far from zero, where a sum of squares would cancel', () => {
  const transform = {
    tensor: 'x',
    column: 'a',
    kind: 'normalise',
    method: 'mean-variance',
    fillNull: undefined,
  } as const;
  const fit = fitTransforms(feedOf([transform]), ['a']);
  for (let block = 0; block < 10; block += 1) fit.add(blockOf(floats([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16])));
  const [state] = fit.finish();
  assert.ok(state?.kind === 'normalise' && Math.abs(state.scale ** 2 - 22.5) < 1e-6);
});

test('batchEncoder() numbers a vocabulary by frequency, then by value, below it the unknown ones', () => {
  const names = ['a'];
  const vocabulary = { tensor: 'v', column: 'a', kind: 'vocabulary', maxSize: 3, unknown: 2 } as const;
  const tensors = encode(feedOf([vocabulary]), names, blockOf(texts(['b', 'a', 'é', 'é', 'a', 'b', 'c', null, 'é'])));
  const ids = tensors.get('v') ?? [];
  assert.deepEqual([ids[2], ids[1], ids[0]], [2, 3, 4]);
  assert.ok(ids[6] === 0 || ids[6] === 1);
  assert.equal(ids[7], 0);
  const numbers = encode(feedOf([vocabulary]), names, blockOf(int64s([7n, 7n, -1n])));
  assert.deepEqual(numbers.get('v'), [2, 2, 3]);
});

test('batchEncoder() casts exactly, makes labels, and refuses what does not fit', () => {
  const wide = 2n ** 62n + 1n;
  const cast = (as: 'int32' | 'int64' | 'float32' | 'bool', fillNull?: number) =>
    ({ tensor: as, column: 'a', kind: 'cast', as, fillNull }) as const;
  const fit = fitTransforms(feedOf([cast('int64')], { column: 'a', greaterThan: 15 }), ['a']);
  const block = blockOf(int64s([wide, 15n, 16n]));
  fit.add(block);
  const body = batchEncoder(fit.finish(), ['a']).encode(block, Int32Array.of(2, 0, 1), {});
  const { tensors } = readSafetensors(body);
  const bytes = tensors.get('int64')?.bytes ?? new Uint8Array(24);
  assert.equal(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(8, true), wide);
  assert.deepEqual(numbersOf(tensors.get('label') as Tensor), [1, 1, 0]);
  assert.throws(
    () => encode(feedOf([cast('int32')]), ['a'], block),
    /Tensor int32 of column a: .* is not of type int32/,
  );
  assert.throws(() => encode(feedOf([cast('float32')]), ['a'], blockOf(floats([1, null]))), TensorError);
  assert.deepEqual(encode(feedOf([cast('bool', 0)]), ['a'], blockOf(floats([2, null]))).get('bool_mask'), [1, 0]);
});

test('splitRows() sends about the declared share to evaluation, always the same rows', () => {
  const values = Array.from({ length: 20_000 }, (_, row) => `row-${row}`);
  const split = fitSplit(feedOf([]));
  assert.ok(split);
  const roleAt = splitRows(split, texts(values));
  const share = values.filter((_, row) => roleAt(row) === 'evaluate').length / values.length;
  assert.ok(share > 0.24 && share < 0.26, String(share));
  const shuffled = splitRows(split, texts(values.toReversed()));
  assert.ok(values.every((_, row) => roleAt(row) === shuffled(values.length - 1 - row)));
});
