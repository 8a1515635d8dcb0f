import { setTimeout as delay } from 'node:timers/promises';
import { type Database, Spanner } from '@google-cloud/spanner';
import { type Flight, readFlights } from '../../deploy/cli/demo/flights.ts';
import type { Random } from './random.ts';

const TICK_ROWS = 20;
/** So that changing the table leaves the machine to those who are attacked. */
const PAUSE_MS = 25;

type Row = Readonly<Record<string, unknown>>;

/** Fills the table with real flights. */
export async function fillFlights(database: Database, count: number): Promise<void> {
  for await (const chunk of readFlights(count)) await database.table('Flights').upsert(chunk.map(rowOf));
}

/** Inserts, changes and deletes rows until the signal, keeping their number about the same. */
export async function changeFlights(database: Database, random: Random, signal: AbortSignal): Promise<number> {
  const flights: Flight[] = [];
  for await (const chunk of readFlights(2_000)) flights.push(...chunk);
  const [first, ...rest] = flights;
  if (!first) throw new Error('There are no flights');
  const table = database.table('Flights');
  let changes = 0;
  while (!signal.aborted) {
    const some = Array.from({ length: TICK_ROWS }, () => random.pick([first, ...rest]));
    const place = random.between(0, 3);
    if (place === 0)
      await table.upsert(some.map((flight) => rowOf({ ...flight, id: `${random.between(0, 999)}-new` })));
    else if (place === 1) await table.upsert(some.map((flight) => rowOf({ ...flight, delay: random.between(0, 300) })));
    else await table.deleteRows(some.slice(0, TICK_ROWS / 2).map(({ id }) => [id]));
    changes += 1;
    await delay(PAUSE_MS);
  }
  return changes;
}

/** How many rows the table had at a timestamp, as the official client reads it. */
export async function countFlights(database: Database, readTimestamp: string): Promise<number> {
  const [snapshot] = await database.getSnapshot({ readTimestamp: Spanner.timestamp(readTimestamp) });
  try {
    const [rows] = await snapshot.read('Flights', { keySet: { all: true }, columns: ['FlightId'], json: true });
    return rows.length;
  } finally {
    snapshot.end();
  }
}

function rowOf({ id, date, delay, distance, origin, destination }: Flight): Row {
  return {
    FlightId: id,
    DepartedAt: `${date.slice(0, 10).replaceAll('/', '-')}T${date.slice(11)}:00Z`,
    DelayMinutes: delay,
    DistanceMiles: distance,
    Origin: origin,
    Destination: destination,
  };
}
