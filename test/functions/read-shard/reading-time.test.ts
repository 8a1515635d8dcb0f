import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readingStopwatch } from '../../../functions/read-shard/reading-time.ts';

test('readingStopwatch() tells waiting for rows from waiting for the trainer, and from neither', async () => {
  let nowMs = 100;
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  const watch = readingStopwatch(() => nowMs);
  async function* source() {
    pass(5);
    yield 'a';
    pass(7);
    yield 'b';
    pass(1);
  }
  const seen: string[] = [];
  for await (const item of watch.rows(source())) {
    seen.push(item);
    pass(1_000);
    const taking = Promise.resolve(item).then(() => pass(30));
    await watch.trainer(taking);
  }
  const failing = Promise.resolve().then(() => {
    pass(2);
    throw new Error('refused');
  });
  await assert.rejects(watch.trainer(failing), /refused/);
  const { cpuMs, ...time } = watch.time();
  assert.deepEqual(seen, ['a', 'b']);
  assert.deepEqual(time, { totalMs: 2_075, spannerMs: 13, trainerMs: 62 });
  assert.ok(cpuMs >= 0);
});
