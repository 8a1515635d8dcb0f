import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Storage } from '@google-cloud/storage';
import { tableFromIPC } from 'apache-arrow';
import { openStorageServer } from '../../../deploy/local/storage/server.ts';
import { deliveryOfFeed } from '../../../functions/read-shard/delivery-of-feed.ts';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import { rebuildBatch } from '../../../functions/read-shard/rebuild-batch.ts';
import type { Feed } from '../../../shared/model/config/declaration.ts';
import { readTfrecord } from '../../shared/model/tensors/read-tfrecord.ts';
import { declaration, feed, openFeedStage, rowCount } from './feed-stage.ts';

let stage: Awaited<ReturnType<typeof openFeedStage>>;
let storage: Awaited<ReturnType<typeof openStorageServer>>;
let dir: string;

before(async () => {
  stage = await openFeedStage();
  storage = await openStorageServer();
  dir = await mkdtemp(join(tmpdir(), 'files-'));
  await clientOf().createBucket('penstock');
});

after(async () => {
  await stage.close();
  await storage.close();
  await rm(dir, { recursive: true });
});

function clientOf(): Storage {
  return new Storage({ apiEndpoint: storage.url, projectId: 'local' });
}

function filesFeed(files: NonNullable<Feed['files']>) {
  const planned: Feed = { ...feed, trainer: undefined, files };
  const trainerOf = deliveryOfFeed(
    { ...declaration, feeds: { delays: planned } },
    {
      ids: { authorization: async () => 'Bearer t' },
      access: async () => ({ value: 't', expiresAtMs: 0, principal: 'reader@test' }),
      env: { STORAGE_EMULATOR_HOST: storage.url },
    },
  );
  return { planned, trainerOf };
}

interface Success {
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
  readonly ends: readonly { readonly shard: number; readonly batches: number; readonly rows: number }[];
  readonly format: string;
  readonly planDigest: string;
}

/** Values of tensor `row`, which numbers the table's rows. */
function rowsIn(file: Buffer): number[] {
  return readTfrecord(file).map((features) => Number(features.row?.int64List?.value?.[0]));
}

test('readShard() writes TFRecord files to Cloud Storage: every row once, named and summed up in _SUCCESS', async () => {
  const { planned, trainerOf } = filesFeed({ url: 'gs://penstock/feeds', format: 'tfrecord' });
  const { epoch, shards, manifest } = await stage.plan('tfrecord', planned);
  const bucket = clientOf().bucket('penstock');
  for (const shard of shards) {
    assert.deepEqual(await bucket.file(`feeds/${epoch}/_SUCCESS`).exists(), [false]);
    await readShard(epoch, shard, { ...stage.readTools('reader'), trainerOf });
  }
  const success: Success = JSON.parse((await bucket.file(`feeds/${epoch}/_SUCCESS`).download())[0].toString());
  assert.equal(success.format, 'tfrecord');
  assert.equal(success.planDigest, manifest.planDigest);
  assert.equal(
    success.ends.reduce((sum, { rows }) => sum + rows, 0),
    rowCount,
  );
  const rows: number[] = [];
  const { channel, versions, clock, signal } = stage.readTools('rebuilder');
  for (const [at, { name, bytes, sha256 }] of success.files.entries()) {
    const [file] = await bucket.file(`feeds/${epoch}/${name}`).download();
    assert.equal(file.length, bytes);
    assert.equal(createHash('sha256').update(file).digest('hex'), sha256);
    rows.push(...rowsIn(file));
    if (at % 30 > 0) continue;
    const [, role, shard = 0, sequence = 0] = /^(\w+)\/(\d+)-(\d+)\.tfrecord$/.exec(name) ?? [];
    const place = { shard: Number(shard), sequence: Number(sequence) };
    const again = await rebuildBatch(manifest, place, { channel, versions, clock, signal });
    assert.ok(again.body.equals(file), name);
    assert.equal(again.role, role);
  }
  assert.deepEqual(
    rows.sort((a, b) => a - b),
    Array.from({ length: rowCount }, (_, row) => row),
  );
});

test('readShard() writes Arrow files to a folder; a reader that stopped is followed by one whose files are the same', async () => {
  const { planned, trainerOf } = filesFeed({ url: pathToFileURL(dir).href, format: 'arrow' });
  const { epoch, shards } = await stage.plan('arrow-files', planned);
  const stopping = new AbortController();
  let batches = 0;
  const first = { ...stage.readTools('first', stopping.signal), trainerOf };
  const [shard = 0] = shards;
  const onBatch = (): void => {
    batches += 1;
    if (batches === 10) stopping.abort();
  };
  assert.equal((await readShard(epoch, shard, { ...first, onBatch })).status, 'stopped');
  for (const each of shards) await readShard(epoch, each, { ...stage.readTools('second'), trainerOf });
  const success: Success = JSON.parse(await readFile(join(dir, epoch, '_SUCCESS'), 'utf8'));
  let rows = 0;
  for (const { name } of success.files) {
    assert.match(name, /^(train|evaluate)\/\d{5}-\d{8}\.arrows$/);
    const table = tableFromIPC(await readFile(join(dir, epoch, name)));
    rows += table.numRows;
    assert.equal(table.schema.metadata.get('epoch'), epoch);
  }
  assert.equal(rows, rowCount);
});

test('readShard() fails for good where another file is in a batch’s place, and overwrites nothing', async () => {
  const { planned, trainerOf } = filesFeed({ url: 'gs://penstock/other', format: 'tfrecord' });
  const { epoch } = await stage.plan('spoiled', planned);
  const file = clientOf().bucket('penstock').file(`other/${epoch}/train/00001-00000000.tfrecord`);
  await file.save('not ours', { resumable: false });
  await assert.rejects(readShard(epoch, 1, { ...stage.readTools('reader'), trainerOf }), { code: 'FILES_DIFFER' });
  assert.equal((await file.download())[0].toString(), 'not ours');
});
