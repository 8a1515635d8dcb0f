import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ExactSum, nearestQuotient } from '../../../../shared/model/tensors/exact-sum.ts';
import { Moments } from '../../../../shared/model/tensors/moments.ts';

/** Any finite double times 2^1074, from its decimal digits and not from its bits. */
function scaled(value: number): bigint {
  let exponent = 0;
  let rest = value;
  while (!Number.isInteger(rest)) {
    rest *= 2;
    exponent += 1;
  }
  return BigInt(rest) << BigInt(1074 - exponent);
}

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });

test('ExactSum adds doubles and squares of every size without rounding', () => {
  fc.assert(
    fc.property(fc.array(finite, { maxLength: 20 }), (values) => {
      const sum = new ExactSum();
      const squares = new ExactSum();
      for (const value of values) {
        sum.add(value);
        squares.addSquare(value);
      }
      const wanted = values.reduce((total, value) => total + scaled(value), 0n);
      assert.equal(sum.scaled(), wanted << 1074n);
      assert.equal(
        squares.scaled(),
        values.reduce((total, value) => total + scaled(value) ** 2n, 0n),
      );
      assert.equal(ExactSum.parse(sum.toJSON()).scaled(), sum.scaled());
    }),
  );
});

test('ExactSum stays exact over more additions than its limbs hold before they carry', () => {
  const sum = new ExactSum();
  const value = -(2 ** 53 - 1);
  for (let at = 0; at < 2_200_000; at += 1) sum.add(value);
  assert.equal(sum.scaled(), (BigInt(value) * 2_200_000n) << 2148n);
});

test('nearestQuotient() gives the double that no other double is nearer than', () => {
  const part = fc.bigInt({ min: 1n, max: 2n ** 200n });
  fc.assert(
    fc.property(part, part, fc.boolean(), (numerator, denominator, isNegative) => {
      const found = nearestQuotient(isNegative ? -numerator : numerator, denominator);
      const magnitude = Math.abs(found);
      assert.equal(found < 0, isNegative);
      const distance = (value: number): bigint => {
        const difference = (numerator << 1074n) - scaled(value) * denominator;
        return difference < 0n ? -difference : difference;
      };
      assert.ok(distance(magnitude) <= distance(neighbour(magnitude, 1n)));
      assert.ok(distance(magnitude) <= distance(neighbour(magnitude, -1n)));
    }),
  );
  assert.equal(nearestQuotient(1n, 2n ** 1074n), Number.MIN_VALUE);
  assert.equal(nearestQuotient(1n, 3n), 1 / 3);
  assert.equal(nearestQuotient(0n, 5n), 0);
});

function neighbour(value: number, step: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigUint64(0, view.getBigUint64(0) + step);
  return view.getFloat64(0);
}

test('Moments gives the variance of whole numbers exactly, however far from zero they lie', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 30 }), (digits) => {
      const moments = new Moments();
      for (const digit of digits) moments.add(2 ** 52 + digit);
      const mean = digits.reduce((sum, digit) => sum + digit, 0) / digits.length;
      const variance = digits.reduce((sum, digit) => sum + (digit - mean) ** 2, 0) / digits.length;
      assert.ok(Math.abs(moments.variance - variance) <= 1e-12 * Math.max(1, variance));
      assert.equal(moments.min, 2 ** 52 + Math.min(...digits));
      assert.equal(moments.max, 2 ** 52 + Math.max(...digits));
    }),
  );
});
