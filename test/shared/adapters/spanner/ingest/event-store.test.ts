import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openSpannerChannel } from '../../../../../shared/adapters/spanner/channel.ts';
import { type BatchCommit, openEventStore } from '../../../../../shared/adapters/spanner/ingest/event-store.ts';
import { compilePipeline } from '../../../../../shared/model/events/compile-pipeline.ts';
import type { RawRecord } from '../../../../../shared/model/events/records/raw-record.ts';
import { counts, databaseName, flight, openIngest } from '../../../../functions/kafka-sink/ingest-fixture.ts';
import { type Fault, openFaultyProxy } from '../faulty-proxy.ts';

const place = { pipeline: 'counts', topic: 'flights', partition: 0 };
const log = { topicId: 'id-1', earliestOffset: 0n, highWatermark: 100n };

async function openStores() {
  const ingest = await openIngest();
  const open = (owner: string) =>
    openEventStore(openSpannerChannel(databaseName, process.env), { identity: 'me', owner });
  const stores = [open('a'), open('b')] as const;
  const table = await stores[0].readTable('Counts');
  assert.ok(table);
  const compiled = compilePipeline(counts, new Map([['Counts', table]]));
  const batch = (fence: bigint, from: number, to: number, more: Partial<BatchCommit> = {}): BatchCommit => {
    const mapped = Array.from({ length: to - from }, (_, at) => {
      const record: RawRecord = {
        key: null,
        value: Buffer.from(flight('').value),
        headers: [],
        timestampMs: 1_700_000_000_000,
        topic: 'flights',
        partition: 0,
        offset: BigInt(from + at),
      };
      return compiled.map(record);
    });
    const offsets = { fromOffset: BigInt(from), toOffset: BigInt(to) };
    return { ...place, ...offsets, compiled, topicId: 'id-1', fence, mapped, highWatermark: 100n, ...more };
  };
  return {
    ingest,
    stores,
    batch,
    count: async () => (await ingest.query('SELECT FlightCount AS n FROM Counts'))[0]?.n ?? 0,
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store.close();
      await ingest[Symbol.asyncDispose]();
    },
  };
}

test('commit() refuses a worker whose fence was overtaken, and writes nothing', async () => {
  await using opened = await openStores();
  const [old, young] = opened.stores;
  const first = await old.raiseFence({ ...place, ...log });
  assert.deepEqual(first, { fence: 1n, nextOffset: 0n });
  await old.commit(opened.batch(first.fence, 0, 10));
  const second = await young.raiseFence({ ...place, ...log });
  assert.deepEqual(second, { fence: 2n, nextOffset: 10n });
  await assert.rejects(old.commit(opened.batch(first.fence, 10, 20)), { code: 'FENCED' });
  assert.equal(await opened.count(), 10);
  await young.commit(opened.batch(second.fence, 10, 20));
  assert.equal(await opened.count(), 20);
});

test('commit() skips what is below the checkpoint, and refuses to leave a gap above it', async () => {
  await using opened = await openStores();
  const [store] = opened.stores;
  const { fence } = await store.raiseFence({ ...place, ...log });
  await store.commit(opened.batch(fence, 0, 10));
  const repeated = await store.commit(opened.batch(fence, 0, 10));
  assert.deepEqual([repeated.rowCount, repeated.knownCount, repeated.nextOffset], [0, 10, 10n]);
  const overlapping = await store.commit(opened.batch(fence, 5, 15));
  assert.deepEqual([overlapping.rowCount, overlapping.knownCount, overlapping.nextOffset], [5, 5, 15n]);
  await assert.rejects(store.commit(opened.batch(fence, 16, 20)), { code: 'OFFSET_GAP' });
  assert.equal(await opened.count(), 15);
});

test('raiseFence() refuses another topic of the same name, and a log that no longer has the checkpoint', async () => {
  await using opened = await openStores();
  const [store] = opened.stores;
  const { fence } = await store.raiseFence({ ...place, ...log });
  await store.commit(opened.batch(fence, 0, 10));
  await assert.rejects(store.raiseFence({ ...place, ...log, topicId: 'id-2' }), { code: 'TOPIC_RECREATED' });
  await assert.rejects(store.raiseFence({ ...place, ...log, earliestOffset: 11n }), { code: 'OFFSET_GAP' });
  await assert.rejects(store.commit(opened.batch(fence, 10, 20, { topicId: 'id-2' })), { code: 'TOPIC_RECREATED' });
});

test('commit() counts once while Spanner aborts a third of the commits and two workers fight over a partition', async () => {
  await using opened = await openStores();
  opened.ingest.spannerServer.setAbortRate(0.33, 11);
  for (let round = 0; round < 6; round++) {
    const store = opened.stores[round % 2 === 0 ? 0 : 1];
    const other = opened.stores[round % 2 === 0 ? 1 : 0];
    const { fence, nextOffset } = await store.raiseFence({ ...place, ...log });
    const from = Number(nextOffset);
    const commits = [
      store.commit(opened.batch(fence, from, from + 10)),
      store.commit(opened.batch(fence, from, from + 10)),
    ];
    await Promise.all([
      ...commits,
      assert.rejects(other.commit(opened.batch(fence - 1n, from, from + 10)), { code: 'FENCED' }),
    ]);
  }
  assert.equal(await opened.count(), 60);
});

const lost: readonly [string, Fault][] = [
  ['is cut from its server', 'cut-after'],
  ['is answered by damaged bytes', { change: () => Buffer.from([0, 0, 0, 0, 7, 1]) }],
  ['is answered by nothing', { change: () => Buffer.alloc(0) }],
];

for (const [what, fault] of lost) {
  test(`commit() counts once when every second commit ${what} after Spanner has taken it`, async () => {
    await using opened = await openStores();
    const proxy = await openFaultyProxy(opened.ingest.spannerServer.address);
    const channel = openSpannerChannel(databaseName, { SPANNER_EMULATOR_HOST: proxy.address });
    const store = openEventStore(channel, { identity: 'me', owner: 'c' });
    proxy.setFault((method, count) => (method === 'Commit' && count % 2 === 1 ? fault : 'none'));
    const { fence, nextOffset } = await store.raiseFence({ ...place, ...log });
    let next = Number(nextOffset);
    while (next < 40) next = Number((await store.commit(opened.batch(fence, next, next + 10))).nextOffset);
    assert.equal(await opened.count(), 40);
    assert.ok(proxy.calls.filter(({ method }) => method === 'Commit').length > 5);
    await store.close();
    await proxy.close();
  });
}
