import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shareLoad, TooSlowError } from '../../../../functions/dashboard/sources/share-load.ts';

test('shareLoad() loads once for all who ask at the same time, and again when the outcome is old', async () => {
  let [now, loads] = [0, 0];
  const load = shareLoad({ keepMs: 1_000, waitMs: 5_000, clock: () => now }, async () => {
    loads += 1;
    return loads;
  });
  assert.deepEqual(await Promise.all([load(), load(), load()]), [1, 1, 1]);
  now = 999;
  assert.equal(await load(), 1);
  now = 1_000;
  assert.equal(await load(), 2);
});

test('shareLoad() keeps a failure as long as a success, so that what is down is not hammered', async () => {
  let [now, loads] = [0, 0];
  const load = shareLoad({ keepMs: 1_000, waitMs: 5_000, clock: () => now }, async () => {
    loads += 1;
    if (loads === 1) throw new Error('down');
    return loads;
  });
  await assert.rejects(load(), /down/);
  await assert.rejects(load(), /down/);
  now = 1_000;
  assert.equal(await load(), 2);
});

test('shareLoad() gives up waiting, not loading', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const load = shareLoad({ keepMs: 1_000, waitMs: 5, clock: () => 0 }, () => promise);
  await assert.rejects(load(), TooSlowError);
  resolve('late');
  assert.equal(await load(), 'late');
});
