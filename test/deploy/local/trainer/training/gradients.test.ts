import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lookUp, multiply } from '../../../../../deploy/local/trainer/training/gradients.ts';
import { openTensorflow } from '../../../../../deploy/local/trainer/training/tensorflow.ts';

const listening = () => [process.listenerCount('uncaughtException'), process.listenerCount('unhandledRejection')];
const listeningBefore = listening();
const tf = await openTensorflow();
// Taken here, because the test runner listens too once it runs.
const listeningAfter = listening();
const size = fc.integer({ min: 1, max: 40 });

/** Numbers that depend on the seed only, all different. */
const numbers = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, n) => Math.sin(seed + 1.7 * n));

function close(given: ArrayLike<number> | undefined, wanted: ArrayLike<number>): void {
  assert.equal(given?.length, wanted.length);
  for (let at = 0; at < wanted.length; at += 1) {
    assert.ok(Math.abs((given?.[at] ?? Number.NaN) - (wanted[at] ?? 0)) < 1e-4, `${given?.[at]} is not ${wanted[at]}`);
  }
}

/** Plain product of [m, k] and [k, n]. */
function product(a: Float32Array, b: Float32Array, [m, k, n]: readonly [number, number, number]): Float32Array {
  const sums = new Float32Array(m * n);
  for (let row = 0; row < m; row += 1) {
    for (let column = 0; column < n; column += 1) {
      for (let at = 0; at < k; at += 1) {
        sums[row * n + column] = (sums[row * n + column] ?? 0) + (a[row * k + at] ?? 0) * (b[at * n + column] ?? 0);
      }
    }
  }
  return sums;
}

function transposed(a: Float32Array, rows: number, columns: number): Float32Array {
  return a.map((_, at) => a[(at % rows) * columns + Math.floor(at / rows)] ?? 0);
}

test('multiply() has the product and both gradients that plain loops give', () => {
  fc.assert(
    fc.property(size, size, size, (m, k, n) => {
      const [a, b, weight] = [numbers(m * k, 1), numbers(k * n, 2), numbers(m * n, 3)];
      const [left, right] = [tf.variable(tf.tensor2d(a, [m, k])), tf.variable(tf.tensor2d(b, [k, n]))];
      close(multiply(tf, left, right).dataSync(), product(a, b, [m, k, n]));
      const { grads } = tf.variableGrads(
        () => tf.sum(tf.mul(multiply(tf, left, right), tf.tensor2d(weight, [m, n]))),
        [left, right],
      );
      close(grads[left.name]?.dataSync(), product(weight, transposed(b, k, n), [m, n, k]));
      close(grads[right.name]?.dataSync(), product(transposed(a, m, k), weight, [k, m, n]));
      tf.disposeVariables();
    }),
    { numRuns: 40 },
  );
});

test('lookUp() gives the named rows, and adds up the gradients of a row that is named twice', () => {
  fc.assert(
    fc.property(size, size, fc.array(fc.nat(), { minLength: 1, maxLength: 50 }), (rows, width, drawn) => {
      const ids = Int32Array.from(drawn, (id) => id % rows);
      const [table, weight] = [numbers(rows * width, 1), numbers(ids.length * width, 2)];
      const matrix = tf.variable(tf.tensor2d(table, [rows, width]));
      const rowOf = (values: Float32Array, row: number) => values.subarray(row * width, (row + 1) * width);
      close(
        lookUp(tf, matrix, ids).dataSync(),
        [...ids].flatMap((id) => [...rowOf(table, id)]),
      );
      const { grads } = tf.variableGrads(
        () => tf.sum(tf.mul(lookUp(tf, matrix, ids), tf.tensor2d(weight, [ids.length, width]))),
        [matrix],
      );
      const wanted = new Float32Array(rows * width);
      for (const [at, id] of ids.entries()) {
        for (const [column, value] of rowOf(weight, at).entries()) {
          wanted[id * width + column] = (wanted[id * width + column] ?? 0) + value;
        }
      }
      close(grads[matrix.name]?.dataSync(), wanted);
      tf.disposeVariables();
    }),
    { numRuns: 40 },
  );
});

test('openTensorflow() has a WebAssembly kernel on one thread, and leaves the process’s uncaught errors to Node', () => {
  assert.equal(tf.getBackend(), 'wasm');
  assert.equal(tf.env().getBool('WASM_HAS_MULTITHREAD_SUPPORT'), false);
  assert.deepEqual(listeningAfter, listeningBefore);
});
