import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openDeadline } from '../../../shared/base/deadline.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

test('openDeadline() is aborted when its time is over, by whatever the garbage collector has taken meanwhile', async () => {
  using deadline = openDeadline(20, new AbortController().signal);
  for (let round = 0; round < 10; round += 1) {
    collectGarbage();
    await pause(10);
  }
  assert.equal(deadline.signal.aborted, true);
  assert.equal(deadline.signal.reason.name, 'TimeoutError');
});

test('openDeadline() is aborted with another signal, for its reason, at once where that is over already', async () => {
  const other = new AbortController();
  using deadline = openDeadline(600_000, new AbortController().signal, other.signal);
  const aborted = once(deadline.signal, 'abort');
  other.abort('going down');
  await aborted;
  assert.equal(deadline.signal.reason, 'going down');
  using late = openDeadline(600_000, other.signal);
  assert.equal(late.signal.reason, 'going down');
});

test('openDeadline() that is disposed of lets go of its timer and of the other signal', () => {
  const other = new AbortController();
  const deadline = openDeadline(600_000, other.signal);
  deadline[Symbol.dispose]();
  assert.ok(!process.getActiveResourcesInfo().includes('Timeout'));
  other.abort();
  assert.equal(deadline.signal.aborted, false);
});

test('no deadline is made of AbortSignal.any() and AbortSignal.timeout(), which Node may forget', () => {
  const root = join(import.meta.dirname, '../../..');
  const found = ['shared', 'functions', 'deploy'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.includes('node_modules'))
      .map((path) => join(folder, path)),
  );
  assert.ok(found.length > 500);
  const wrong = found.filter((path) => {
    const text = readFileSync(join(root, path), 'utf8').replaceAll(/\/\*\*.*?\*\//gs, '');
    return /AbortSignal\.any\([^;]*AbortSignal\.timeout/s.test(text);
  });
  assert.deepEqual(wrong, []);
});
