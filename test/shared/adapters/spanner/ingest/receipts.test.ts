import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { controlSchema } from '../../../../../deploy/gcp/migrate.ts';
import { openSpannerChannel } from '../../../../../shared/adapters/spanner/channel.ts';
import { openEventStore } from '../../../../../shared/adapters/spanner/ingest/event-store.ts';
import { openPipeline } from '../../../../../shared/adapters/spanner/ingest/open-pipeline.ts';
import { receiptDays } from '../../../../../shared/adapters/spanner/ingest/receipts.ts';
import type { RawRecord } from '../../../../../shared/model/events/records/raw-record.ts';
import { airports, databaseName, openIngest } from '../../../../functions/kafka-sink/ingest-fixture.ts';
import { withTarget } from '../../../model/config/plain-pipeline.ts';

const DAY_MS = 24 * 3_600_000;

test('the receipts’ row deletion policy is the one that takeEvents() reckons with', () => {
  const policy = /CREATE TABLE PenstockReceipts[^;]*OLDER_THAN\(ReceivedAt, INTERVAL (\d+) DAY\)/.exec(controlSchema);
  assert.equal(Number(policy?.[1]), receiptDays);
});

test('takeEvents() takes an event anew whose receipt is over its time and only not deleted yet', async () => {
  await using ingest = await openIngest();
  let nowMs = Date.now();
  const channel = openSpannerChannel(databaseName, process.env);
  const store = openEventStore(channel, { identity: '', owner: '', now: () => nowMs });
  try {
    const compiled = await openPipeline(store, withTarget(airports, { guard: undefined }));
    const take = (eventId: string, name: string) => {
      const value = Buffer.from(JSON.stringify({ iata: 'ORD', name, version: 1 }));
      const source = { topic: 'airports', partition: 0, offset: 0n, timestampMs: undefined };
      const record: RawRecord = { key: null, value, headers: [], ...source };
      const payloadHash = createHash('sha256').update(value).digest();
      return { compiled, eventId, payloadHash, mapped: compiled.map(record) };
    };
    assert.deepEqual(await store.takeEvents([take('1', 'a')]), ['taken']);
    nowMs += (receiptDays - 1) * DAY_MS;
    assert.deepEqual(await store.takeEvents([take('1', 'a'), take('1', 'b')]), ['duplicate', 'conflict']);
    nowMs += 2 * DAY_MS;
    assert.deepEqual(await store.takeEvents([take('1', 'b'), take('1', 'b'), take('2', 'b')]), [
      'taken',
      'duplicate',
      'taken',
    ]);
    const rows = await ingest.query('SELECT Name FROM Airports');
    assert.deepEqual(rows, [{ Name: 'b' }]);
    const receipts = await ingest.query('SELECT EventId, Outcome FROM PenstockReceipts ORDER BY EventId');
    assert.deepEqual(receipts, [
      { EventId: '1', Outcome: 'taken' },
      { EventId: '2', Outcome: 'taken' },
    ]);
  } finally {
    await store.close();
  }
});
