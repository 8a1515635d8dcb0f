import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import kafkajs from 'kafkajs';
import { openSpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { acceptTopic, planAcceptance } from '../../../shared/adapters/spanner/ingest/checkpoint-store.ts';
import { openEventStore } from '../../../shared/adapters/spanner/ingest/event-store.ts';
import {
  counts,
  databaseName,
  flight,
  flights,
  type Ingest,
  openIngest,
} from '../../functions/kafka-sink/ingest-fixture.ts';

const launch = resolve(import.meta.dirname, '../../../deploy/cli/launch.js');
const dir = mkdtempSync(join(tmpdir(), 'checkpoints-'));
const config = join(dir, 'penstock.yaml');
after(() => rmSync(dir, { recursive: true }));

function declare(ingest: Ingest): void {
  writeFileSync(
    config,
    `
spanner: { database: ${databaseName} }
kafka: { brokers: "${ingest.brokers}" }
pipelines:
  flights:
    source: { kafka: { topic: flights } }
    format: json
    table: Flights
    mode: upsert
    columns: { FlightId: { key: true } }
  airports:
    source: { pubsub: { subscription: airports } }
    format: json
    table: Airports
    mode: upsert
    columns: { Iata: { field: iata } }
`,
  );
}

async function checkpoints(...args: string[]) {
  const env = { ...process.env, PENSTOCK_IDENTITY: 'ada@example.com' };
  const child = spawn(process.execPath, [launch, 'checkpoints', ...args, '--config', config, '--json'], { env });
  const [out, error, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  const results = out.split('\n').filter((line) => line !== '');
  const audits = error.split('\n').filter((line) => line.startsWith('{'));
  return {
    status,
    error,
    results: results.map((line): Record<string, unknown> => JSON.parse(line)),
    accepts: audits
      .map((line): Record<string, unknown> => JSON.parse(line))
      .filter(({ action }) => action === 'checkpoint.accept'),
  };
}

async function held(ingest: Ingest): Promise<unknown[]> {
  const sql = `SELECT Pipeline, PartitionId, NextOffset, Fence FROM PenstockCheckpoints ORDER BY 1, 2`;
  return (await ingest.query(sql)).map((row) => Object.values(row));
}

test('penstock checkpoints accept shows what a recreated topic means, then has it read from its start, once', async () => {
  await using ingest = await openIngest();
  declare(ingest);
  await ingest.createTopic(3);
  await ingest.produce(
    [0, 1, 2].flatMap((partition) =>
      [flight(`A${partition}`), flight(`B${partition}`)].map((one) => ({ ...one, partition })),
    ),
  );
  await ingest.produce([{ key: 'bad', value: 'no JSON', partition: 0 }]);
  await ingest.sink(flights);
  await ingest.sink(counts);
  const listed = await checkpoints('list', 'flights');
  assert.deepEqual(
    listed.results.map(({ topic, partition, nextOffset, fence }) => [topic, partition, nextOffset, fence]),
    [
      ['flights', 0, '3', '1'],
      ['flights', 1, '2', '1'],
      ['flights', 2, '2', '1'],
    ],
  );
  assert.deepEqual((await checkpoints('accept', 'flights', 'flights', '--yes')).results[0]?.accepted, []);

  await ingest.deleteTopic();
  await ingest.createTopic(2);
  await ingest.produce([flight('C0'), flight('C1')].map((one, partition) => ({ ...one, partition })));
  await assert.rejects(ingest.sink(flights), (error: Error & { code?: string; remedy?: string }) => {
    assert.equal(error.code, 'TOPIC_RECREATED');
    assert.match(error.remedy ?? '', /npx penstock checkpoints accept flights flights/);
    return true;
  });

  const before = await held(ingest);
  const shown = await checkpoints('accept', 'flights', 'flights');
  assert.equal(shown.status, 1);
  assert.deepEqual(shown.results[0]?.planned, [
    { partition: 0, fromOffset: '3', toOffset: '0', why: 'recreated' },
    { partition: 1, fromOffset: '2', toOffset: '0', why: 'recreated' },
    { partition: 2, fromOffset: '2', why: 'removed' },
  ]);
  assert.match(shown.error, /1 dead letters of the old topic wait/);
  assert.deepEqual([await held(ingest), shown.accepts], [before, []], 'nothing was changed');

  const accepted = await checkpoints('accept', 'flights', 'flights', '--yes');
  assert.equal(accepted.status, 0, accepted.error);
  assert.deepEqual(
    accepted.accepts.map(({ identity, outcome, resource, partitions }) => [identity, outcome, resource, partitions]),
    [
      [
        'ada@example.com',
        'done',
        'PenstockCheckpoints/flights/flights',
        [
          { partition: 0, why: 'recreated', fromOffset: '3', toOffset: '0' },
          { partition: 1, why: 'recreated', fromOffset: '2', toOffset: '0' },
          { partition: 2, why: 'removed', fromOffset: '2', toOffset: null },
        ],
      ],
    ],
  );
  const ofCounts = before.filter((row) => Array.isArray(row) && row[0] === 'counts');
  assert.deepEqual(await held(ingest), [...ofCounts, ['flights', 0, 0, 2], ['flights', 1, 0, 2]]);
  await ingest.sink(flights);
  const [rows] = await ingest.query('SELECT COUNT(*) AS n FROM Flights');
  assert.equal(rows?.n, 8);
  await assert.rejects(ingest.sink(counts), { code: 'TOPIC_RECREATED' });
});

test('penstock checkpoints accept goes over what retention deleted, and moves no other partition', async () => {
  await using ingest = await openIngest();
  declare(ingest);
  await ingest.createTopic(2);
  await ingest.produce([0, 1].map((partition) => ({ ...flight(`A${partition}`), partition })));
  await ingest.sink(flights);
  await ingest.produce([...Array(5).keys()].map((at) => ({ ...flight(`B${at}`), partition: 1 })));
  const admin = new kafkajs.Kafka({ brokers: [ingest.brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.fetchTopicMetadata({ topics: ['flights'] });
  await admin.deleteTopicRecords({ topic: 'flights', partitions: [{ partition: 1, offset: '4' }] });
  await admin.disconnect();
  await assert.rejects(ingest.sink(flights), { code: 'OFFSET_GAP' });

  const shown = await checkpoints('accept', 'flights', 'flights');
  assert.match(shown.error, /3 offsets were deleted by retention and are never read/);
  const accepted = await checkpoints('accept', 'flights', 'flights', '--yes');
  assert.deepEqual(accepted.results[0]?.accepted, [{ partition: 1, fromOffset: '1', toOffset: '4', why: 'gap' }]);
  await ingest.sink(flights);
  const ids = await ingest.query('SELECT FlightId FROM Flights ORDER BY 1');
  assert.deepEqual(
    ids.map(({ FlightId }) => FlightId),
    ['A0', 'A1', 'B3', 'B4'],
  );
});

test('acceptTopic() takes the partition from a worker that still holds it by the old checkpoint', async () => {
  await using _ingest = await openIngest();
  const channel = openSpannerChannel(databaseName, process.env);
  const store = openEventStore(channel, { identity: 'me', owner: 'a' });
  const place = { pipeline: 'flights', topic: 'flights', partition: 0 };
  const taking = { ...place, topicId: 'id-1', earliestOffset: 0n, highWatermark: 9n };
  const { fence } = await store.raiseFence(taking);
  const found = { topicId: 'id-1', partitions: [{ partition: 0, earliest: 5n, end: 9n }] };
  const steps = await acceptTopic(channel, { pipeline: 'flights', topic: 'flights', found, by: 'ada' });
  assert.deepEqual(steps, [{ partition: 0, why: 'gap', fromOffset: 0n, toOffset: 5n }]);
  assert.deepEqual(await store.raiseFence({ ...taking, earliestOffset: 5n }), { fence: fence + 2n, nextOffset: 5n });
  assert.deepEqual(await acceptTopic(channel, { pipeline: 'flights', topic: 'flights', found, by: 'ada' }), []);
  await store.close();
});

test('planAcceptance() leaves checkpoints that the log still has, a whole one included', () => {
  const found = { topicId: 'id', partitions: [{ partition: 0, earliest: 5n, end: 9n }] };
  const at = (nextOffset: bigint, partition = 0) => [{ partition, topicId: 'id', fence: 1n, nextOffset }];
  for (const nextOffset of [5n, 7n, 9n]) assert.deepEqual(planAcceptance(at(nextOffset), found), []);
  assert.deepEqual(planAcceptance(at(3n, 4), found), [], 'a partition that is not described now');
  assert.equal(planAcceptance(at(4n), found).length, 1);
});

test('penstock checkpoints accept refuses a pipeline, a topic and a source that there are not', async () => {
  await using ingest = await openIngest();
  declare(ingest);
  const statuses = await Promise.all(
    [
      ['nowhere', 'flights'],
      ['airports', 'airports'],
      ['flights', 'flights'],
    ].map(async ([pipeline = '', topic = '']) => (await checkpoints('accept', pipeline, topic, '--yes')).status),
  );
  assert.deepEqual(statuses, [2, 2, 1]);
  assert.deepEqual((await checkpoints('list')).results, []);
  await ingest.createTopic();
  await ingest.produce([flight('F0')]);
  await ingest.sink(flights);
  await ingest.deleteTopic();
  const gone = await checkpoints('accept', 'flights', 'flights', '--yes');
  assert.equal(gone.status, 1);
  assert.match(gone.error, /The brokers have no topic flights/);
});
