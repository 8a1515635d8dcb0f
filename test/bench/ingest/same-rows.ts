import { createHash } from 'node:crypto';
import type { Database } from '@google-cloud/spanner';

/** @throws {Error} unless both databases hold the same `count` flights: a sink that does less is no peer */
export async function sameRows(left: Database, right: Database, count: number): Promise<void> {
  const [ours, theirs] = [await digestOf(left), await digestOf(right)];
  if (ours.rows !== count) throw new Error(`Our sink wrote ${ours.rows} of ${count} rows`);
  if (ours.digest !== theirs.digest) throw new Error('The two sinks wrote different rows');
}

async function digestOf(database: Database): Promise<{ readonly rows: number; readonly digest: string }> {
  const columns = ['FlightId', 'DepartedAt', 'DelayMinutes', 'DistanceMiles', 'Origin', 'Destination'];
  const [rows] = await database.table('Flights').read({ keySet: { all: true }, columns, json: true });
  return { rows: rows.length, digest: createHash('sha256').update(JSON.stringify(rows)).digest('hex') };
}
