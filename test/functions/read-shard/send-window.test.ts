import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sendWindow } from '../../../functions/read-shard/send-window.ts';

/** Sends that end when the test says so. */
function held() {
  const ends: (() => void)[] = [];
  const put = (): Promise<void> => new Promise((resolve) => ends.push(resolve));
  return { ends, put };
}

const body = (length: number): Buffer<ArrayBuffer> => Buffer.from(new ArrayBuffer(length));

/** Whether a promise is settled once all that is ready has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const waited = new Promise((resolve) => setImmediate(() => resolve('waiting')));
  return (await Promise.race([promise.then(() => 'settled'), waited])) === 'settled';
}

test('sendWindow() lets so many sends be under way, and hands their memory on when they are answered', async () => {
  const { ends, put } = held();
  const window = sendWindow(2, 1_000);
  const first = body(10);
  for (const next of [first, body(10)]) {
    assert.equal(await window.room(), undefined);
    window.start(next, put);
  }
  const third = window.room();
  assert.equal(await isSettled(third), false);
  ends[0]?.();
  assert.equal(await third, first.buffer);
  const drained = window.drain();
  assert.equal(await isSettled(drained), false);
  ends[1]?.();
  await drained;
});

test('sendWindow() bounds the bytes under way, and lets one body of any length through', async () => {
  const { ends, put } = held();
  const window = sendWindow(4, 100);
  await window.room();
  window.start(body(5_000), put);
  const next = window.room();
  assert.equal(await isSettled(next), false);
  ends[0]?.();
  await next;
});

test('sendWindow() gives no more room after a send that failed, and waits for the others', async () => {
  const { ends, put } = held();
  const window = sendWindow(3, 1_000);
  await window.room();
  window.start(body(1), () => Promise.reject(new Error('refused')));
  await window.room();
  window.start(body(1), put);
  const drained = window.drain();
  assert.equal(await isSettled(drained.catch(() => {})), false);
  await assert.rejects(window.room(), /refused/);
  ends[0]?.();
  await assert.rejects(drained, /refused/);
});
