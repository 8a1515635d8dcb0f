import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitBaseline } from '../../../../../deploy/local/trainer/training/fit-baseline.ts';

const rows = (ids: number[], labels: number[]) => ({ ids: Int32Array.from(ids), labels: Float32Array.from(labels) });

test('fitBaseline() ranks held-out rows by the rate that training rows of their id have', () => {
  const train = [rows([0, 0, 1, 1, 2, 2], [0, 0, 1, 0, 1, 1])];
  assert.equal(fitBaseline(train, rows([0, 1, 2], [0, 0, 1]), 3), 1);
  assert.equal(fitBaseline(train, rows([0, 1, 2], [1, 0, 0]), 3), 0);
});

test('fitBaseline() draws an id that was seen seldom to the overall rate', () => {
  const often = Array.from({ length: 100 }, (_, n) => Number(n % 10 < 4));
  const train = [rows([0], [1]), rows(Array(100).fill(1), often), rows(Array(100).fill(2), Array(100).fill(0))];
  // One late flight of one is less sure than forty late ones of a hundred.
  assert.equal(fitBaseline(train, rows([0, 1], [0, 1]), 3), 1);
});

test('fitBaseline() is one half with one id for all, and unknown when the held-out rows have one label', () => {
  assert.equal(fitBaseline([rows([0, 0], [0, 1])], rows([0, 0, 0], [0, 1, 1]), 1), 0.5);
  assert.equal(fitBaseline([rows([0, 0], [0, 1])], rows([0, 0], [1, 1]), 1), undefined);
  assert.equal(fitBaseline([], rows([], []), 1), undefined);
});
