import { setTimeout as delay } from 'node:timers/promises';
import { bar, count, type Screen } from '../screen.ts';
import type { Stack } from '../stack/stack.ts';
import { readAirports } from './airports.ts';
import { type Flight, readFlights } from './flights.ts';
import { consumed, produced, received } from './observe.ts';
import { countRotations, type Rotations, rotateSinkSecret } from './rotate.ts';
import { sendAirports, sendFlights } from './send-events.ts';
import { type Verdict, verify } from './verify.ts';

const POLL_MS = 200;
/** Ingest has failed when nothing moves for this long. */
const STALL_MS = 60_000;

/** What went in, and what Spanner holds of it. */
export interface Ingested {
  /** As the broker and the receipts count them. */
  readonly sent: { readonly kafka: number; readonly pubsub: number };
  readonly verdict: Verdict;
  readonly rotations: Rotations;
  readonly seconds: number;
}

interface Expected {
  readonly flightIds: Set<string>;
  readonly flightsByOrigin: Map<string, number>;
  readonly airports: ReadonlySet<string>;
}

interface Counts {
  sentFlights: number;
  sentAirports: number;
  flights: number;
  delays: number;
  airports: number;
}

/**
 * Sends the events while the sinks run, waits until everything has been taken, and holds Spanner against what was sent.
 *
 * A topic that already holds events (`--data` of an earlier run) is not filled again.
 *
 * @throws {Error} when nothing moves for a minute
 */
export async function ingest(stack: Stack, events: number, screen: Screen): Promise<Ingested> {
  const startedAt = performance.now();
  const brokers = [stack.cloud.env.KAFKA_BROKERS ?? ''];
  const kept = await produced(brokers, 'flights');
  if (kept > 0) screen.line(`The topic holds ${count(kept)} flights of an earlier run; going on with them.`);
  const total = kept || events;
  const airports = readAirports();
  const expected: Expected = {
    flightIds: new Set(),
    flightsByOrigin: new Map(),
    airports: new Set(airports.map(({ iata }) => iata)),
  };
  const counts: Counts = { sentFlights: kept, sentAirports: 0, flights: 0, delays: 0, airports: 0 };
  let failedBatches = 0;
  const onLine = (line: string): void => {
    if (/"severity":"(WARNING|ERROR)"/.test(line)) failedBatches += 1;
  };
  const sink = stack.startSink({ onLine });
  const doneAfterSeconds = new Map<string, number>();
  screen.live(() => frameOf(counts, { flights: total, airports: airports.length, startedAt, doneAfterSeconds }));

  const sending = kept > 0 ? remember(total, expected) : send(stack, { total, airports, expected, counts });
  const died = sink.ended.then((code) => {
    throw new Error(`kafka-sink ended with ${code}:\n${sink.lastLines().slice(-5).join('\n')}`);
  });
  await Promise.race([
    Promise.all([
      sending,
      caughtUp(stack, counts, { flights: total, airports: airports.length }),
      rotateUnderLoad(stack, counts, total),
    ]),
    died,
  ]);
  const seconds = (performance.now() - startedAt) / 1000;
  screen.settle();
  const verdict = await verify(stack.database, expected);
  return {
    sent: { kafka: await produced(brokers, 'flights'), pubsub: await received(stack.database, 'airports') },
    verdict,
    rotations: { count: await countRotations(stack), failedBatches },
    seconds: Number(seconds.toFixed(1)),
  };
}

async function send(
  stack: Stack,
  {
    total,
    airports,
    expected,
    counts,
  }: { total: number; airports: ReturnType<typeof readAirports>; expected: Expected; counts: Counts },
): Promise<void> {
  const brokers = [stack.cloud.env.KAFKA_BROKERS ?? ''];
  await Promise.all([
    sendFlights(brokers, 'flights', readFlights(total), (sent, chunk) => {
      counts.sentFlights = sent;
      expect(expected, chunk);
    }),
    sendAirports('airports', airports, (sent) => {
      counts.sentAirports = sent;
    }),
  ]);
}

/** When the sink has begun with what comes. */
async function rotateUnderLoad(stack: Stack, counts: Counts, total: number): Promise<void> {
  while (counts.flights === 0 && counts.sentFlights < total) await delay(POLL_MS);
  await rotateSinkSecret(stack);
}

async function remember(total: number, expected: Expected): Promise<void> {
  for await (const chunk of readFlights(total)) expect(expected, chunk);
}

function expect({ flightIds, flightsByOrigin }: Expected, chunk: readonly Flight[]): void {
  for (const { id, origin } of chunk) {
    flightIds.add(id);
    flightsByOrigin.set(origin, (flightsByOrigin.get(origin) ?? 0) + 1);
  }
}

async function caughtUp(stack: Stack, counts: Counts, wanted: { flights: number; airports: number }): Promise<void> {
  let last = '';
  let movedAt = performance.now();
  for (;;) {
    counts.flights = await consumed(stack.database, 'flights');
    counts.delays = await consumed(stack.database, 'delays-by-origin');
    counts.airports = await received(stack.database, 'airports');
    if (counts.flights >= wanted.flights && counts.delays >= wanted.flights && counts.airports >= wanted.airports)
      return;
    const now = JSON.stringify(counts);
    if (now !== last) movedAt = performance.now();
    last = now;
    if (performance.now() - movedAt > STALL_MS) {
      throw new Error(`Nothing has moved for ${STALL_MS / 1000} s: ${now} of ${JSON.stringify(wanted)}`);
    }
    await delay(POLL_MS);
  }
}

function frameOf(
  counts: Counts,
  wanted: { flights: number; airports: number; startedAt: number; doneAfterSeconds: Map<string, number> },
): { lines: string[]; plain: string } {
  const elapsed = (performance.now() - wanted.startedAt) / 1000;
  const line = (name: string, done: number, total: number): string => {
    // The rate of what is done stays what it was.
    const seconds = wanted.doneAfterSeconds.get(name) ?? elapsed;
    if (done >= total) wanted.doneAfterSeconds.set(name, seconds);
    return `${name.padEnd(28)} ${bar(done, total)} ${count(done).padStart(9)} of ${count(total)}  ${count(done / seconds)}/s`;
  };
  return {
    lines: [
      '',
      line('Kafka flights, sent', counts.sentFlights, wanted.flights),
      line('  → Flights', counts.flights, wanted.flights),
      line('  → DelaysByOrigin', counts.delays, wanted.flights),
      line('Pub/Sub airports, sent', counts.sentAirports, wanted.airports),
      line('  → Airports', counts.airports, wanted.airports),
    ],
    plain:
      `events: ${count(counts.sentFlights)} flights sent, ${count(counts.flights)} in Flights, ` +
      `${count(counts.delays)} in DelaysByOrigin, ${count(counts.airports)} of ${count(wanted.airports)} airports`,
  };
}
