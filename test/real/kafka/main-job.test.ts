import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Flight, readFlights } from '../../../deploy/cli/demo/flights.ts';
import { sendFlights } from '../../../deploy/cli/demo/send-events.ts';
import { verify } from '../../../deploy/cli/demo/verify.ts';
import { query } from '../../../deploy/cli/epoch-progress.ts';
import { kafkajsClient } from '../../../shared/adapters/kafka/kafkajs-client.ts';
import { waitUntil } from '../../chaos/wait-until.ts';
import { createRealTopic } from './create-real-topic.ts';
import { flightsTopic, type KafkaRig, openKafkaRig } from './kafka-rig.ts';
import { type SentFlights, sentFlights } from './sent-flights.ts';

const EVENTS = 10_000;
const CAUGHT_UP_MS = 90_000;

let rig: KafkaRig;
const sent: SentFlights = sentFlights();

before(async () => {
  // Small batches, so that each kill finds a sink between its commits and inside one.
  rig = await openKafkaRig({ maxRows: 100 });
});
after(() => rig?.close());

test('10,000 real flights pass Apache Kafka exactly once while two sinks are killed with -9 in turn', async () => {
  const workers = [rig.startSink(), rig.startSink()];
  // One thousand for each kill, so that there is always something left to commit.
  for await (const flights of readFlights(EVENTS)) {
    const before = await progress();
    const sending = sendFlights(rig.kafka.brokers, flightsTopic, once(flights), (_, chunk) => sent.add(chunk));
    await waitUntil('the sinks commit', async () => (await progress()) > before, CAUGHT_UP_MS);
    await delay(Math.random() * 300);
    workers.shift()?.kill('SIGKILL');
    workers.push(rig.startSink());
    await sending;
  }
  await caughtUp();
  const verdict = await verify(rig.database, sent);
  assert.deepEqual(verdict, { rows: { Flights: EVENTS, Airports: 0 }, lost: 0, doubled: 0, deadLetters: 0 });
  for (const worker of workers) await worker.stop();
  assert.deepEqual(await Promise.all(workers.map(({ ended }) => ended)), [0, 0]);
});

test('transactions count when they commit; aborted and open ones do not, and their markers leave no gap', async () => {
  const sink = rig.startSink();
  const kafka = kafkajsClient({ clientId: 'penstock-real', brokers: [...rig.kafka.brokers] });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, transactionalId: 'penstock-real' });
  await producer.connect();
  const flight = (id: string): Flight => ({
    id,
    date: '2001/02/03 04:05',
    delay: 6,
    distance: 700,
    origin: 'ABQ',
    destination: 'ATL',
  });
  for (let round = 0; round < 10; round++) {
    const transaction = await producer.transaction();
    const flights = Array.from({ length: 20 }, (_, n) => flight(`t-${round}-${n}`));
    const messages = flights.map(({ id, ...value }) => ({ key: id, value: JSON.stringify(value) }));
    await transaction.send({ topic: flightsTopic, acks: -1, messages });
    if (round % 3 === 1) {
      await transaction.abort();
    } else {
      await transaction.commit();
      sent.add(flights);
    }
  }
  await producer.disconnect();
  await caughtUp();
  const verdict = await verify(rig.database, sent);
  assert.deepEqual([verdict.lost, verdict.doubled, verdict.deadLetters], [0, 0, 0]);
  await sink.stop();
  assert.equal(await sink.ended, 0);
});

for (const codec of ['gzip', 'snappy', 'lz4', 'zstd']) {
  test(`the sink reads what Kafka’s own console producer compressed with ${codec}`, async () => {
    const flights: Flight[] = Array.from({ length: 500 }, (_, n) => ({
      id: `${codec}-${n}`,
      date: '2001/02/03 04:05',
      delay: n % 60,
      distance: 700,
      origin: 'BOS',
      destination: 'SEA',
    }));
    const lines = flights.map(({ id, ...value }) => `${id}\t${JSON.stringify(value)}\n`);
    await rig.kafka.runTool(
      'org.apache.kafka.tools.ConsoleProducer',
      [
        ...['--bootstrap-server', rig.kafka.brokers.join(','), '--topic', flightsTopic],
        ...['--compression-codec', codec, '--property', 'parse.key=true'],
      ],
      lines.join(''),
    );
    sent.add(flights);
    const sink = rig.startSink();
    await caughtUp();
    await sink.stop();
    const verdict = await verify(rig.database, sent);
    assert.deepEqual([verdict.lost, verdict.doubled, verdict.deadLetters], [0, 0, 0]);
    assert.equal(await sink.ended, 0);
  });
}

test('a topic that was deleted and created again is refused, and nothing of it is written', async () => {
  await createRealTopic(rig.kafka.brokers, flightsTopic, 4);
  const stranger = { id: 'new', date: '2001/02/03 04:05', delay: 1, distance: 1, origin: 'ABQ', destination: 'ATL' };
  await sendFlights(rig.kafka.brokers, flightsTopic, once([stranger]), () => {});
  const sink = rig.startSink();
  assert.equal(await sink.ended, 1);
  assert.match(sink.lastLines().join('\n'), /TOPIC_RECREATED/);
  const verdict = await verify(rig.database, sent);
  assert.deepEqual([verdict.lost, verdict.doubled, verdict.deadLetters], [0, 0, 0]);
});

async function* once(flights: Flight[]): AsyncGenerator<Flight[]> {
  yield flights;
}

/** Sum of both pipelines' offsets. */
async function progress(): Promise<number> {
  return [...(await rig.checkpoints()).values()].reduce((sum, offset) => sum + offset, 0);
}

/** Waits until both pipelines have counted what was sent; offsets alone would count transactions' markers. */
async function caughtUp(): Promise<void> {
  const holds = async (): Promise<boolean> => {
    const [flights] = await query(rig.database, 'SELECT COUNT(*) AS n FROM Flights');
    const [counted] = await query(rig.database, 'SELECT SUM(FlightCount) AS n FROM DelaysByOrigin');
    return Number(flights?.n) >= sent.flightIds.size && Number(counted?.n) >= sent.flightIds.size;
  };
  await waitUntil('both pipelines hold what was sent', holds, CAUGHT_UP_MS);
}
