import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shardSlots } from '../../../functions/read-shard/shard-slots.ts';

test('shardSlots() lets so many in at once, in order, and one who stops waiting leaves no slot behind', async () => {
  const slots = shardSlots(2);
  const { signal } = new AbortController();
  const order: number[] = [];
  let inside = 0;
  let most = 0;
  const releases: (() => void)[] = [];
  const enter = (number: number, stop = signal) =>
    slots(stop, async () => {
      order.push(number);
      most = Math.max(most, ++inside);
      await new Promise<void>((resolve) => releases.push(resolve));
      inside -= 1;
    });
  const leaving = new AbortController();
  const work = [enter(1), enter(2), enter(3)];
  const left = enter(4, leaving.signal);
  work.push(enter(5));
  leaving.abort();
  await assert.rejects(left, { name: 'AbortError' });
  for (let done = 0; done < 4; done += 1) {
    while (releases.length === 0) await new Promise((resolve) => setImmediate(resolve));
    releases.shift()?.();
  }
  await Promise.all(work);
  assert.deepEqual(order, [1, 2, 3, 5]);
  assert.equal(most, 2);
});

test('shardSlots() gives the slot back when the work fails', async () => {
  const slots = shardSlots(1);
  const { signal } = new AbortController();
  await assert.rejects(
    slots(signal, async () => Promise.reject(new Error('failed'))),
    /failed/,
  );
  assert.equal(await slots(signal, async () => 'next'), 'next');
});
