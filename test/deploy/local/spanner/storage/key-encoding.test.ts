import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AFTER_PREFIX, encodeKey, type KeyColumn } from '../../../../../deploy/local/spanner/storage/key-encoding.ts';
import type { Cell, ScalarCode } from '../../../../../deploy/local/spanner/values.ts';

const numeric = fc
  .tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.integer({ min: 0, max: 999 }))
  .map(([whole, milli]) => `${whole}${milli ? `.${milli.toString().padStart(3, '0').replace(/0+$/, '')}` : ''}`);

const cells: Partial<Record<ScalarCode, fc.Arbitrary<Cell>>> = {
  BOOL: fc.boolean(),
  INT64: fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -3n, max: 3n })),
  FLOAT64: fc.oneof(fc.double(), fc.constantFrom(0, 1, -1, Number.NaN)),
  STRING: fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('\0', 'a', '\u0001', 'é', '😀') })),
  BYTES: fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
  TIMESTAMP: fc.bigInt({ min: -62135596800000000000n, max: 253402300799999999999n }),
  NUMERIC: numeric,
};

const column = fc
  .constantFrom(...(Object.keys(cells) as ScalarCode[]))
  .chain((code) => fc.record({ type: fc.constant({ code }), descending: fc.boolean() }));

const keyPair = fc.array(column, { minLength: 1, maxLength: 3 }).chain((columns) => {
  const key = fc.tuple(...columns.map(({ type }) => fc.option(cells[type.code] ?? fc.constant(null))));
  return fc.tuple(fc.constant(columns), key, key);
});

test('encodeKey() sorts as Spanner does: NULL first, NaN next, DESC reversed', () => {
  fc.assert(
    fc.property(keyPair, ([columns, a, b]) => {
      const left = encodeKey(a, columns);
      const right = encodeKey(b, columns);
      assert.equal(left < right ? -1 : left > right ? 1 : 0, compareKeys(a, b, columns));
    }),
    { numRuns: 2000 },
  );
});

test('encodeKey() of the first columns is a prefix, and AFTER_PREFIX lies behind all that begin with it', () => {
  fc.assert(
    fc.property(keyPair, ([columns, key]) => {
      const whole = encodeKey(key, columns);
      const prefix = encodeKey(key.slice(0, 1), columns);
      assert.ok(whole.startsWith(prefix));
      assert.ok(whole < prefix + AFTER_PREFIX);
    }),
  );
});

function compareKeys(a: readonly Cell[], b: readonly Cell[], columns: readonly KeyColumn[]): number {
  for (const [i, { type, descending }] of columns.entries()) {
    const order = compareCells(a[i] ?? null, b[i] ?? null, type.code);
    if (order !== 0) return descending ? -order : order;
  }
  return 0;
}

function compareCells(a: Cell, b: Cell, code: string): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null);
  if (Buffer.isBuffer(a) && Buffer.isBuffer(b)) return Buffer.compare(a, b);
  if (code === 'NUMERIC') return sign(thousandths(String(a)) - thousandths(String(b)));
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (typeof a === 'bigint' && typeof b === 'bigint') return sign(a - b);
  const [x, y] = [Number(a), Number(b)];
  if (Number.isNaN(x) || Number.isNaN(y)) return Number(!Number.isNaN(x)) - Number(!Number.isNaN(y));
  return x < y ? -1 : x > y ? 1 : 0;
}

function sign(difference: bigint): number {
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function thousandths(text: string): bigint {
  const negative = text.startsWith('-');
  const [whole = '0', fraction = ''] = text.replace('-', '').split('.');
  const magnitude = BigInt(whole) * 1000n + BigInt(fraction.padEnd(3, '0'));
  return negative ? -magnitude : magnitude;
}
