import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import kafkajs from 'kafkajs';
import { openKafkaServer } from '../../../deploy/local/kafka/server.ts';
import { ConfigError } from '../../../shared/base/errors.ts';
import { plainKafka, withTarget } from '../../shared/model/config/plain-pipeline.ts';
import { counts, flight, flights, from, openIngest, runSink, untilRows, watchedLog } from './ingest-fixture.ts';

test('runKafkaSink() counts every record once, over restarts and in two pipelines at a time', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic(3);
  const total = 3_000;
  for (let at = 0; at < total; at += 1_000) {
    await ingest.produce(Array.from({ length: 1_000 }, (_, i) => flight(`F${at + i}`, (at + i) % 100)));
    await ingest.sink(flights, counts);
  }
  const [rows] = await ingest.query('SELECT COUNT(*) AS n FROM Flights');
  assert.equal(rows?.n, total);
  const [group] = await ingest.query('SELECT FlightCount, TotalDelayMinutes, WorstDelayMinutes FROM Counts');
  assert.deepEqual(group, { FlightCount: total, TotalDelayMinutes: (total * 99) / 2, WorstDelayMinutes: 99 });
  const lineage = await ingest.query(
    "SELECT PartitionId, FromOffset, ToOffset, RowCount FROM PenstockLineage WHERE Pipeline = 'counts' ORDER BY 1, 2",
  );
  const ends = new Map<unknown, unknown>();
  for (const { PartitionId, FromOffset, ToOffset } of lineage) {
    assert.equal(FromOffset, ends.get(PartitionId) ?? 0, 'lineage has no gap and no overlap');
    ends.set(PartitionId, ToOffset);
  }
  assert.equal(
    lineage.reduce((sum, { RowCount }) => sum + Number(RowCount), 0),
    total,
  );
});

test('runKafkaSink() reads from Spanner’s checkpoint, whatever offsets Kafka’s group holds', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic();
  await ingest.produce([flight('F0'), flight('F1')]);
  await ingest.sink(counts);
  await ingest.database
    .table('PenstockCheckpoints')
    .update({ Pipeline: 'counts', Topic: 'flights', PartitionId: 0, NextOffset: 1 });
  await ingest.sink(counts);
  const [group] = await ingest.query('SELECT FlightCount FROM Counts');
  assert.equal(group?.FlightCount, 3, 'the record that the checkpoint was set back over is read again');
});

test('runKafkaSink() refuses a topic that was deleted and made again', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic();
  await ingest.produce([flight('F0')]);
  await ingest.sink(flights);
  await ingest.deleteTopic();
  await ingest.createTopic();
  await ingest.produce([flight('F1'), flight('F2')]);
  await assert.rejects(ingest.sink(flights), { code: 'TOPIC_RECREATED' });
  const [rows] = await ingest.query('SELECT COUNT(*) AS n FROM Flights');
  assert.equal(rows?.n, 1);
});

test('runKafkaSink() names everything in which a table and its pipeline differ', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic();
  const columns = [from('Departed', 'date'), from('DelayMinutes', 'delay', 'yyyy')];
  const wrong = withTarget(flights, { columns });
  await assert.rejects(ingest.sink(wrong), (error: unknown) => {
    assert.ok(error instanceof ConfigError);
    assert.deepEqual(
      error.problems.map(({ path }) => path),
      ['pipelines.flights.columns.Departed', 'pipelines.flights.columns.DelayMinutes'],
    );
    return true;
  });
  await assert.rejects(ingest.sink(withTarget(flights, { table: 'Trains' })), /no table Trains/);
});

test('runKafkaSink() names every pipeline that does not fit its table', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic();
  await ingest.produce([flight('F0')]);
  const wrong = ['Trains', 'Ships', 'Coaches'].map((table) => ({ ...withTarget(flights, { table }), name: table }));
  await assert.rejects(ingest.sink(counts, ...wrong), (error: unknown) => {
    assert.ok(error instanceof ConfigError, String(error));
    assert.deepEqual(
      error.problems.map(({ path }) => path),
      ['pipelines.Trains.table', 'pipelines.Ships.table', 'pipelines.Coaches.table'],
    );
    return true;
  });
});

test('runKafkaSink() waits for a topic that is missing', async () => {
  await using ingest = await openIngest();
  const { log, seen } = watchedLog('does not exist');
  const ending = new AbortController();
  const running = runSink(ingest.declaration(flights), { signal: ending.signal, log });
  await seen;
  await ingest.createTopic();
  await ingest.produce([flight('F0')]);
  await untilRows(ingest, 1);
  ending.abort();
  await running;
});

test('runKafkaSink() waits for a broker that is down at the start', async () => {
  await using ingest = await openIngest();
  const port = await freePort();
  const { log, seen } = watchedLog('cannot be reached');
  const ending = new AbortController();
  const declaration = { ...ingest.declaration(flights), kafka: plainKafka(`127.0.0.1:${port}`) };
  const running = runSink(declaration, { signal: ending.signal, log });
  await seen;
  const late = await openKafkaServer({ port, autoCreateTopics: true });
  const client = new kafkajs.Kafka({ brokers: [late.address], logLevel: kafkajs.logLevel.NOTHING });
  const producer = client.producer();
  await producer.connect();
  await producer.send({ topic: 'flights', messages: [flight('F0')] });
  await producer.disconnect();
  await untilRows(ingest, 1);
  ending.abort();
  await running;
  await late.close();
});

test('runKafkaSink() ends at its signal with every commit whole', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic(2);
  await ingest.produce(Array.from({ length: 5_000 }, (_, at) => flight(`F${at}`, at)));
  const ending = new AbortController();
  const running = runSink(ingest.declaration(counts), { signal: ending.signal });
  await untilRows(ingest, 1, 'Counts');
  ending.abort();
  await running;
  const [checkpoint] = await ingest.query('SELECT SUM(NextOffset) AS n FROM PenstockCheckpoints');
  const [group] = await ingest.query('SELECT FlightCount AS n FROM Counts');
  assert.equal(group?.n, checkpoint?.n);
  await ingest.sink(counts);
  const [after] = await ingest.query('SELECT FlightCount AS n FROM Counts');
  assert.equal(after?.n, 5_000);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('The port is not known');
  return address.port;
}
