import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { keyAt } from '../../../../shared/model/epochs/key-at.ts';
import type { ColumnVector } from '../../../../shared/model/tensors/column-vector.ts';
import { concatBlocks } from '../../../../shared/model/tensors/concat-blocks.ts';
import { matchRows } from '../../../../shared/model/tensors/match-rows.ts';
import { pickRows } from '../../../../shared/model/tensors/pick-rows.ts';

type Value = bigint | number | boolean | string | null | { seconds: number; nanos: number } | readonly Value[];
type Kind = ColumnVector['kind'];

const scalars: Readonly<Record<Exclude<Kind, 'list'>, fc.Arbitrary<Value>>> = {
  int64: fc.bigInt({ min: -5n, max: 5n }),
  float64: fc.constantFrom(0, 1.5, -2, Number.NaN),
  bool: fc.boolean(),
  text: fc.constantFrom('', 'a', 'ORD', 'äöü', 'a longer text', '😀'),
  timestamp: fc
    .tuple(fc.integer({ min: -9, max: 9 }), fc.constantFrom(0, 1, 500_000_000))
    .map(([seconds, nanos]) => ({ seconds, nanos })),
};

function valuesOf(kind: Kind, rows: number): fc.Arbitrary<Value[]> {
  const length = { minLength: rows, maxLength: rows };
  const value: fc.Arbitrary<Value> =
    kind === 'list' ? fc.array(fc.option(scalars.text), { maxLength: 3 }) : scalars[kind];
  return fc.array(fc.option(value), length);
}

/** Plain values as a vector. */
function vectorOf(kind: Kind, values: readonly Value[]): ColumnVector {
  const nulls = Uint8Array.from(values, (value) => Number(value === null));
  switch (kind) {
    case 'int64':
      return { kind, nulls, values: BigInt64Array.from(values, (value) => (typeof value === 'bigint' ? value : 0n)) };
    case 'float64':
      return { kind, nulls, values: Float64Array.from(values, (value) => (typeof value === 'number' ? value : 0)) };
    case 'bool':
      return { kind, nulls, values: Uint8Array.from(values, (value) => Number(value === true)) };
    case 'timestamp': {
      const parts = values.map((value) =>
        typeof value === 'object' && value !== null && 'seconds' in value ? value : { seconds: 0, nanos: 0 },
      );
      const seconds = Float64Array.from(parts, (part) => part.seconds);
      return { kind, nulls, seconds, nanos: Int32Array.from(parts, (part) => part.nanos) };
    }
    case 'text': {
      const texts = values.map((value) => Buffer.from(typeof value === 'string' ? value : ''));
      return { kind, nulls, offsets: offsetsOf(texts), bytes: Buffer.concat(texts) };
    }
    case 'list': {
      const lists = values.map((value): readonly Value[] => (Array.isArray(value) ? value : []));
      return { kind, nulls, offsets: offsetsOf(lists), items: vectorOf('text', lists.flat()) };
    }
  }
}

function offsetsOf(parts: readonly { readonly length: number }[]): Int32Array {
  const offsets = new Int32Array(parts.length + 1);
  for (const [at, { length }] of parts.entries()) offsets[at + 1] = (offsets[at] ?? 0) + length;
  return offsets;
}

/** What a vector holds, as plain values. */
function read(vector: ColumnVector): Value[] {
  return Array.from(vector.nulls, (isNull, row): Value => (isNull === 1 ? null : readAt(vector, row)));
}

function readAt(vector: ColumnVector, row: number): Value {
  switch (vector.kind) {
    case 'int64':
    case 'float64':
      return vector.values[row] ?? null;
    case 'bool':
      return vector.values[row] === 1;
    case 'timestamp':
      return { seconds: vector.seconds[row] ?? 0, nanos: vector.nanos[row] ?? 0 };
    case 'text':
      return Buffer.from(vector.bytes).toString('utf8', vector.offsets[row], vector.offsets[row + 1]);
    case 'list':
      return read(vector.items).slice(vector.offsets[row], vector.offsets[row + 1]);
  }
}

const kinds = ['int64', 'float64', 'bool', 'timestamp', 'text', 'list'] as const;
const columns = fc
  .tuple(fc.constantFrom(...kinds), fc.integer({ min: 1, max: 12 }))
  .chain(([kind, rows]) => fc.record({ kind: fc.constant(kind), values: valuesOf(kind, rows) }));

test('pickRows() gives the rows that are named, in their order and as often, and NULL for -1', () => {
  const picks = columns.chain(({ kind, values }) =>
    fc.record({
      kind: fc.constant(kind),
      values: fc.constant(values),
      rows: fc.array(fc.integer({ min: -1, max: values.length - 1 })),
    }),
  );
  fc.assert(
    fc.property(picks, ({ kind, values, rows }) => {
      const picked = pickRows(vectorOf(kind, values), Int32Array.from(rows));
      assert.deepEqual(
        read(picked),
        rows.map((row) => (row < 0 ? null : values[row])),
      );
    }),
  );
});

test('concatBlocks() gives the rows of all blocks, one behind the other', () => {
  const blocks = fc.constantFrom(...kinds).chain((kind) =>
    fc.record({
      kind: fc.constant(kind),
      parts: fc.array(
        fc.integer({ min: 0, max: 4 }).chain((rows) => valuesOf(kind, rows)),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  );
  fc.assert(
    fc.property(blocks, ({ kind, parts }) => {
      const whole = concatBlocks(parts.map((part) => ({ rowCount: part.length, columns: [vectorOf(kind, part)] })));
      assert.equal(whole.rowCount, parts.flat().length);
      assert.deepEqual(whole.columns.map(read), [parts.flat()]);
    }),
  );
  assert.throws(() => concatBlocks([]), RangeError);
});

test('matchRows() finds the one row whose columns are equal, and none for NULL', () => {
  const keyKinds = ['int64', 'bool', 'timestamp', 'text'] as const;
  const tables = fc.array(fc.constantFrom(...keyKinds), { minLength: 1, maxLength: 2 }).chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      table: fc.array(fc.tuple(...shape.map((kind) => fc.option(scalars[kind]))), { maxLength: 20 }),
      wanted: fc.array(fc.tuple(...shape.map((kind) => fc.option(scalars[kind]))), { maxLength: 20 }),
    }),
  );
  fc.assert(
    fc.property(tables, ({ shape, table, wanted }) => {
      const vectors = (rows: readonly Value[][]): ColumnVector[] =>
        shape.map((kind, at) =>
          vectorOf(
            kind,
            rows.map((row) => row[at] ?? null),
          ),
        );
      const nameOf = (rows: readonly Value[][], row: number): string =>
        JSON.stringify(keyAt({ rowCount: rows.length, columns: vectors(rows) }, shape.length, row));
      // As a unique index has it; rows with NULL may come twice, as in one that leaves them out.
      const unique = table.filter(
        (row, at) =>
          row.includes(null) || !table.slice(0, at).some((_, before) => nameOf(table, before) === nameOf(table, at)),
      );
      const expected = wanted.map((row, at) =>
        row.includes(null) ? -1 : unique.findIndex((_, place) => nameOf(unique, place) === nameOf(wanted, at)),
      );
      const match = matchRows(vectors(unique), unique.length);
      assert.deepEqual([...match(vectors(wanted), wanted.length)], expected);
    }),
  );
});
