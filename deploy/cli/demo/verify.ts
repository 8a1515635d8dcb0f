import { finished } from 'node:stream/promises';
import type { Database } from '@google-cloud/spanner';
import { query } from '../epoch-progress.ts';

/** What was sent, kept beside the pipeline so that Spanner can be held against it. */
export interface Sent {
  readonly flightIds: ReadonlySet<string>;
  readonly flightsByOrigin: ReadonlyMap<string, number>;
  readonly airports: ReadonlySet<string>;
}

/** What Spanner holds, held against what was sent. */
export interface Verdict {
  readonly rows: { readonly Flights: number; readonly Airports: number };
  /** Events without their row, or missing in a counter. */
  readonly lost: number;
  /** Rows without an event, or counted more than once. */
  readonly doubled: number;
  readonly deadLetters: number;
}

/**
 * Reads the tables with the official client and compares them with what was sent.
 *
 * A flight that was written twice leaves one row, so the counters of `DelaysByOrigin` are held against the events too.
 */
export async function verify(database: Database, sent: Sent): Promise<Verdict> {
  const flights = await compareKeys(database, 'Flights', 'FlightId', sent.flightIds);
  const airports = await compareKeys(database, 'Airports', 'Iata', sent.airports);
  const counters = new Map<string, number>();
  for (const row of await query(database, 'SELECT Origin, FlightCount FROM DelaysByOrigin')) {
    counters.set(String(row.Origin), Number(row.FlightCount));
  }
  let short = 0;
  let over = 0;
  for (const origin of new Set([...counters.keys(), ...sent.flightsByOrigin.keys()])) {
    const difference = (counters.get(origin) ?? 0) - (sent.flightsByOrigin.get(origin) ?? 0);
    if (difference < 0) short -= difference;
    else over += difference;
  }
  const [dead] = await query(database, 'SELECT COUNT(*) AS n FROM PenstockDeadLetters WHERE Part = 0');
  return {
    rows: { Flights: flights.rows, Airports: airports.rows },
    lost: flights.missing + airports.missing + short,
    doubled: flights.unknown + airports.unknown + over,
    deadLetters: Number(dead?.n ?? 0),
  };
}

async function compareKeys(
  database: Database,
  table: string,
  column: string,
  wanted: ReadonlySet<string>,
): Promise<{ rows: number; missing: number; unknown: number }> {
  const seen = new Set<string>();
  let rows = 0;
  const stream = database.table(table).createReadStream({ keySet: { all: true }, columns: [column], json: true });
  // Flowing, never paused: while it is paused, the client's stream makes up rows that are undefined.
  stream.on('data', (row: Readonly<Record<string, unknown>>) => {
    rows += 1;
    seen.add(String(row[column]));
  });
  await finished(stream);
  let missing = 0;
  for (const key of wanted) if (!seen.has(key)) missing += 1;
  let unknown = rows - seen.size;
  for (const key of seen) if (!wanted.has(key)) unknown += 1;
  return { rows, missing, unknown };
}
