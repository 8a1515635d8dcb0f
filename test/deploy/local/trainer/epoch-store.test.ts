import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openEpochStore } from '../../../../deploy/local/trainer/epoch-store.ts';
import { smallAnnouncement, smallBatch } from './small-epoch.ts';

const MAX_BYTES = 1e6;

test('a batch goes on with its trace after a restart, and a traceparent that is none names no file', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'trainer-'));
  const store = await openEpochStore(dir, MAX_BYTES);
  await store.announce('e1', Buffer.from(JSON.stringify(smallAnnouncement)));
  const traceparent = `00-${'a'.repeat(32)}-${'1'.repeat(16)}-01`;
  const given = [traceparent, undefined, '../../../out', `${traceparent}/x`];
  for (const [sequence, header] of given.entries()) {
    const body = smallBatch({ sequence });
    const digest = createHash('sha256').update(body).digest('hex');
    const place = { epoch: 'e1', shard: 0, sequence, traceparent: header };
    assert.equal(await store.putBatch(place, body, digest), 'accepted');
    assert.equal(await store.putBatch({ ...place, traceparent: undefined }, body, digest), 'duplicate');
  }
  const names = await readdir(join(dir, 'epochs/e1/shards/0'));
  assert.deepEqual(names.map((name) => name.split('.').length).sort(), [3, 3, 3, 4]);
  for (const opened of [store, await openEpochStore(dir, MAX_BYTES)]) {
    const { batches } = opened.findShard('e1', 0);
    assert.deepEqual(
      given.map((_, sequence) => batches.get(sequence)?.traceparent),
      [traceparent, undefined, undefined, undefined],
    );
  }
  await rm(dir, { recursive: true });
});
