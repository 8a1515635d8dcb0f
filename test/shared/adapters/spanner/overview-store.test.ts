import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Spanner } from '@google-cloud/spanner';
import { openOverviewStore } from '../../../../shared/adapters/spanner/overview-store.ts';
import { type ControlDatabase, openControlDatabase } from '../../../functions/dashboard/control-database.ts';

let control: ControlDatabase;
const at = (seconds: number) => Spanner.timestamp(new Date(Date.UTC(2026, 10, 21, 6, 0, seconds)).toISOString());
const atMs = (seconds: number) => Date.UTC(2026, 10, 21, 6, 0, seconds);

before(async () => {
  control = await openControlDatabase();
  const { database } = control;
  await database
    .table('PenstockCheckpoints')
    .insert([
      checkpoint('flights', 1, '9007199254740993'),
      checkpoint('flights', 0, '120'),
      checkpoint('flights-2', 0, '7'),
    ]);
  await database
    .table('PenstockLineage')
    .insert([
      ...[0, 40, 80].map((from) => lineage('flights', 0, from, from + 40)),
      lineage('flights', 1, 3, 9),
      lineage('flights-2', 0, 0, 7),
    ]);
  await database.table('PenstockReceipts').insert([receipt('a1', 'written', 1), receipt('a2', 'dead', 2)]);
  await database
    .table('PenstockDeadLetters')
    .insert([
      letter('flights/0/000017', 0, Buffer.from([0xff, 0x00, 0x7b])),
      letter('flights/0/000017', 1, Buffer.alloc(10)),
      { ...letter('flights/0/000031', 0, Buffer.alloc(400, 'é')), RedrivenAt: at(50), RedrivenBy: 'ada' },
    ]);
  await database.table('PenstockEpochs').insert([epoch('e1', 1), epoch('e2', 2), epoch('e3', 3)]);
  await database
    .table('PenstockShards')
    .insert([shard('e3', 1, 'reading'), shard('e3', 0, 'done'), shard('e2', 0, 'done')]);
});
after(() => control.close());

const read: ReturnType<typeof openOverviewStore>['read'] = (use) => openOverviewStore(control.database).read(use);

test('rotations() and secretUsers() read those of one secret', async () => {
  const rotation = (Secret: string, RotationId: string, more: object) => {
    const first = { Kind: 'rotate', Step: 'failed', UnderWay: false, BaseVersion: 1, Fence: 0, RequestedBy: 'ada' };
    return { Secret, RotationId, ...first, StartedAt: at(1), UpdatedAt: at(2), ...more };
  };
  const done = {
    Kind: 'back',
    Step: 'closed',
    FromVersion: 2,
    ToVersion: 1,
    FinishedAt: at(3),
    RetireAt: at(4),
    DestroyAt: at(5),
  };
  for (const row of [
    rotation('key', 'a', { Reason: 'refused', FailedStep: 'test' }),
    rotation('key', 'b', done),
    rotation('key-2', 'c', {}),
  ]) {
    await control.database.table('PenstockRotations').insert(row);
  }
  await control.database.table('PenstockSecretUsers').insert([
    { Secret: 'key', Holder: 'sink-1', Version: 1, SeenAt: at(4) },
    { Secret: 'key-2', Holder: 'sink-1', Version: 9, SeenAt: at(4) },
  ]);
  const times = { startedAtMs: atMs(1), updatedAtMs: atMs(2) };
  const never = { finishedAtMs: undefined, retireAtMs: undefined, destroyAtMs: undefined };
  const none = { fromVersion: undefined, toVersion: undefined, ...never };
  assert.deepEqual(await read((reader) => reader.rotations('key', 10)), [
    {
      id: 'a',
      kind: 'rotate',
      step: 'failed',
      failedStep: 'test',
      reason: 'refused',
      requestedBy: 'ada',
      ...none,
      ...times,
    },
    {
      ...{
        id: 'b',
        kind: 'back',
        step: 'closed',
        failedStep: undefined,
        reason: undefined,
        requestedBy: 'ada',
        ...times,
      },
      ...{ fromVersion: 2, toVersion: 1, finishedAtMs: atMs(3), retireAtMs: atMs(4), destroyAtMs: atMs(5) },
    },
  ]);
  assert.deepEqual(await read((reader) => reader.secretUsers('key', 10)), [
    { holder: 'sink-1', version: 1, seenAtMs: atMs(4) },
  ]);
});

test('checkpoints() reads one pipeline in order of partition, with offsets beyond 2^53', async () => {
  const rows = await read((reader) => reader.checkpoints('flights', 10));
  assert.deepEqual(
    rows.map(({ partition, nextOffset, owner, lastEventAtMs }) => ({ partition, nextOffset, owner, lastEventAtMs })),
    [
      { partition: 0, nextOffset: 120n, owner: 'worker-1', lastEventAtMs: atMs(3) },
      { partition: 1, nextOffset: 9_007_199_254_740_993n, owner: 'worker-1', lastEventAtMs: atMs(3) },
    ],
  );
});

test('lineage() reads one partition from an offset up to another, at most as many commits as asked for', async () => {
  const partition = { pipeline: 'flights', topic: 'flights', partition: 0 };
  const from = (range: { fromOffset: bigint; toOffset?: bigint; limit: number }) =>
    read(async (reader) => (await reader.lineage(partition, range)).map(({ fromOffset }) => fromOffset));
  assert.deepEqual(await from({ fromOffset: 0n, limit: 10 }), [0n, 40n, 80n]);
  assert.deepEqual(await from({ fromOffset: 40n, limit: 10 }), [40n, 80n]);
  assert.deepEqual(await from({ fromOffset: 0n, toOffset: 80n, limit: 10 }), [0n, 40n]);
  assert.deepEqual(await from({ fromOffset: 0n, limit: 2 }), [0n, 40n]);
});

test('receipts() reads outcome and time', async () => {
  assert.deepEqual(await read((reader) => reader.receipts('airports', 10)), [
    { outcome: 'written', receivedAtMs: atMs(1) },
    { outcome: 'dead', receivedAtMs: atMs(2) },
  ]);
});

test('deadLetters() names each letter once, whatever its parts, and says when the limit cut them off', async () => {
  const { letters, isMore } = await read((reader) => reader.deadLetters('flights', 10));
  assert.deepEqual(
    letters.map(({ id, redriven, offset, eventId }) => ({ id, redriven, offset, eventId })),
    [
      { id: 'flights/0/000017', redriven: false, offset: 17n, eventId: undefined },
      { id: 'flights/0/000031', redriven: true, offset: 17n, eventId: undefined },
    ],
  );
  assert.deepEqual(
    letters.map(({ redrivenAtMs, redrivenBy }) => [redrivenAtMs, redrivenBy]),
    [
      [undefined, undefined],
      [atMs(50), 'ada'],
    ],
  );
  assert.equal(isMore, false);
  assert.equal((await read((reader) => reader.deadLetters('flights', 3))).isMore, true);
});

test('deadLetterHeads() cuts the bytes in the database and leaves them as they are', async () => {
  const heads = await read((reader) =>
    reader.deadLetterHeads([
      { pipeline: 'flights', id: 'flights/0/000017' },
      { pipeline: 'flights', id: 'flights/0/000031' },
      { pipeline: 'flights', id: 'unknown' },
    ]),
  );
  const byId = new Map(heads.map((head) => [head.id, head]));
  assert.deepEqual([...byId.keys()].sort(), ['flights/0/000017', 'flights/0/000031']);
  assert.deepEqual([...(byId.get('flights/0/000017')?.value ?? [])], [0xff, 0x00, 0x7b]);
  assert.equal(byId.get('flights/0/000031')?.value?.length, 160);
  assert.equal(byId.get('flights/0/000031')?.key, undefined);
  assert.deepEqual(await read((reader) => reader.deadLetterHeads([])), []);
});

test('epochs() reads the newest of a feed first, and epoch() one by its id', async () => {
  const epochs = await read((reader) => reader.epochs('delays', 2));
  assert.deepEqual(
    epochs.map(({ id }) => id),
    ['e3', 'e2'],
  );
  const one = await read((reader) => reader.epoch('e1'));
  assert.equal(one?.readTimestamp, '2026-11-21T06:00:01.000000000Z');
  assert.deepEqual(one?.outline, { checkpoints: [] });
  assert.equal(one?.rowCount, undefined);
  assert.equal(await read((reader) => reader.epoch('none')), undefined);
  assert.deepEqual(await read((reader) => reader.epochs('none', 2)), []);
});

test('shards() reads the shards of one epoch in key order', async () => {
  const shards = await read((reader) => reader.shards('e3', 10));
  assert.deepEqual(
    shards.map(({ shard, state, error }) => ({ shard, state, error })),
    [
      { shard: 0, state: 'done', error: undefined },
      { shard: 1, state: 'reading', error: undefined },
    ],
  );
});

test('read() shows all its reads the same moment, whatever is written meanwhile', async () => {
  const { before, after } = await read(async (reader) => {
    const before = await reader.checkpoints('moving', 10);
    await control.database.table('PenstockCheckpoints').insert([checkpoint('moving', 0, '1')]);
    return { before, after: await reader.checkpoints('moving', 10) };
  });
  assert.deepEqual([before.length, after.length], [0, 0]);
  assert.equal((await read((reader) => reader.checkpoints('moving', 10))).length, 1);
});

function checkpoint(pipeline: string, partition: number, nextOffset: string) {
  return {
    Pipeline: pipeline,
    Topic: 'flights',
    PartitionId: partition,
    TopicId: 'b9f6c2de-0000-4000-8000-000000000001',
    NextOffset: Spanner.int(nextOffset),
    Fence: 1,
    Owner: 'worker-1',
    HighWatermark: Spanner.int(nextOffset),
    LastEventAt: at(3),
    UpdatedAt: at(4),
  };
}

function lineage(pipeline: string, partition: number, from: number, to: number) {
  return {
    Pipeline: pipeline,
    Topic: 'flights',
    PartitionId: partition,
    FromOffset: from,
    ToOffset: to,
    RowCount: to - from,
    SkippedCount: 0,
    DeadCount: 0,
    Fence: 1,
    Identity: 'sink@demo.iam.gserviceaccount.com',
    CommittedAt: at(4),
  };
}

function receipt(id: string, outcome: string, seconds: number) {
  return {
    Pipeline: 'airports',
    EventId: id,
    PayloadHash: Buffer.alloc(32),
    Outcome: outcome,
    ReceivedAt: at(seconds),
  };
}

function letter(id: string, part: number, value: Buffer) {
  return {
    Pipeline: 'flights',
    DeadLetterId: id,
    Part: part,
    Source: 'kafka',
    Topic: 'flights',
    PartitionId: 0,
    RecordOffset: 17,
    Class: 'undecodable',
    Reason: 'The value is not JSON',
    RecordValue: value,
    PartCount: 1,
    ValueBytes: value.length,
    RecordedAt: at(9),
    RedrivenAt: null,
    RedrivenBy: null,
  };
}

function epoch(id: string, seconds: number) {
  return {
    EpochId: id,
    Feed: 'delays',
    State: 'reading',
    ReadTimestamp: at(seconds),
    PlanDigest: `sha256:${'0'.repeat(64)}`,
    Manifest: JSON.stringify({ plan: {} }),
    Outline: JSON.stringify({ checkpoints: [] }),
    ShardCount: 2,
    PlannedBy: 'plan@demo.iam.gserviceaccount.com',
    PlannedAt: at(seconds),
  };
}

function shard(epochId: string, number: number, state: string) {
  return {
    EpochId: epochId,
    ShardId: number,
    State: state,
    KeyRange: JSON.stringify({}),
    Fence: 1,
    RowCount: 10,
    BatchCount: 1,
    UpdatedAt: at(9),
  };
}
