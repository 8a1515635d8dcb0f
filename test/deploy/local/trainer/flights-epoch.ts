import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { batchBody, float32, int32, int64, uint8 } from './batch-body.ts';
import type { TrainerClient } from './trainer-client.ts';

interface Flight {
  hour: number;
  weekday: number;
  distance: number;
  origin: string;
  destination: string;
  isLate: boolean;
  isHeldOut: boolean;
}

interface FlightsBatch {
  shard: number;
  sequence: number;
  rows: number;
  body: Uint8Array<ArrayBuffer>;
}

export interface FlightsEpoch {
  id: string;
  announcement: object;
  shards: { batches: FlightsBatch[]; rows: number }[];
  rows: number;
}

export interface FlightsOptions {
  id: string;
  shards?: number;
  batchRows?: number;
  /** How often the whole file is repeated. */
  repeat?: number;
  limit?: number;
}

const flightSchema = z.array(
  z.object({ date: z.string(), delay: z.number(), distance: z.number(), origin: z.string(), destination: z.string() }),
);

/** Cuts real flights into the batches that a reader would send: for each block of a shard, one of role train and one of evaluate. */
export function flightsEpoch({
  id,
  shards = 8,
  batchRows = 1024,
  repeat = 1,
  limit = Infinity,
}: FlightsOptions): FlightsEpoch {
  const once = readFlights().slice(0, limit);
  const flights = Array.from({ length: repeat }, () => once).flat();
  const origins = [...new Set(flights.map(({ origin }) => origin))];
  const destinations = [...new Set(flights.map(({ destination }) => destination))];
  const announcement = {
    feed: 'delays',
    readTimestamp: '2026-11-21T07:00:00.123456789Z',
    planDigest: 'sha256:flights',
    shards,
    batchRows,
    seed: 7,
    tensors: [
      { name: 'hour', dtype: 'float32', shape: [24] },
      { name: 'weekday', dtype: 'float32', shape: [7] },
      { name: 'distance', dtype: 'float32', shape: [] },
      { name: 'origin', dtype: 'int32', shape: [], categories: origins.length },
      { name: 'destination', dtype: 'int64', shape: [], categories: destinations.length },
      { name: 'label', dtype: 'uint8', shape: [] },
    ],
  };
  const toBody = (rows: Flight[], metadata: Record<string, string>) =>
    batchBody(metadata, {
      hour: float32(
        rows.flatMap(({ hour }) => oneHot(hour, 24)),
        24,
      ),
      weekday: float32(
        rows.flatMap(({ weekday }) => oneHot(weekday, 7)),
        7,
      ),
      distance: float32(rows.map(({ distance }) => distance)),
      origin: int32(rows.map(({ origin }) => origins.indexOf(origin))),
      destination: int64(rows.map(({ destination }) => destinations.indexOf(destination))),
      label: uint8(rows.map(({ isLate }) => Number(isLate))),
    });
  const shardRows = Math.ceil(flights.length / shards);
  const cut = Array.from({ length: shards }, (_, shard) => {
    const mine = flights.slice(shard * shardRows, (shard + 1) * shardRows);
    const batches: FlightsBatch[] = [];
    for (let from = 0; from < mine.length; from += batchRows) {
      const block = mine.slice(from, from + batchRows);
      for (const role of ['train', 'evaluate']) {
        const rows = block.filter(({ isHeldOut }) => isHeldOut === (role === 'evaluate'));
        const metadata = {
          epoch: id,
          shard: String(shard),
          sequence: String(batches.length),
          rowFrom: String(from),
          rowTo: String(from + block.length),
          rows: String(rows.length),
          readTimestamp: announcement.readTimestamp,
          planDigest: announcement.planDigest,
          role,
          columns: JSON.stringify(['DepartedAt', 'DistanceMiles', 'Origin', 'Destination', 'DelayMinutes']),
        };
        batches.push({
          shard,
          sequence: batches.length,
          rows: rows.length,
          body: new Uint8Array(toBody(rows, metadata)),
        });
      }
    }
    return { batches, rows: mine.length };
  });
  return { id, announcement, shards: cut, rows: flights.length };
}

/** Sends a whole epoch as readers would, shards side by side, and ends it. */
export async function deliver(client: TrainerClient, epoch: FlightsEpoch): Promise<void> {
  const ok = async (reply: Promise<{ status: number; text: string }>) => {
    const { status, text } = await reply;
    if (status >= 300) throw new Error(`${status} ${text}`);
  };
  await ok(client.announce(epoch.id, epoch.announcement));
  await Promise.all(
    epoch.shards.map(async ({ batches, rows }, shard) => {
      for (const { sequence, body } of batches) await ok(client.putBatch(epoch.id, shard, sequence, body));
      await ok(client.endShard(epoch.id, shard, { batches: batches.length, rows }));
    }),
  );
  await ok(client.endEpoch(epoch.id));
}

function readFlights(): Flight[] {
  const file = new URL('../../../../node_modules/vega-datasets/data/flights-10k.json', import.meta.url);
  const flights = flightSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  const mean = flights.reduce((sum, { distance }) => sum + distance, 0) / flights.length;
  const variance = flights.reduce((sum, { distance }) => sum + (distance - mean) ** 2, 0) / flights.length;
  return flights.map(({ date, delay, distance, origin, destination }, index) => ({
    hour: Number(date.slice(11, 13)),
    weekday: new Date(`${date.slice(0, 10).replaceAll('/', '-')}T00:00Z`).getUTCDay(),
    distance: (distance - mean) / Math.sqrt(variance),
    origin,
    destination,
    isLate: delay > 15,
    isHeldOut: createHash('sha256').update(`${index}`).digest().readUInt32LE() % 10 === 0,
  }));
}

function oneHot(value: number, size: number): number[] {
  return Array.from({ length: size }, (_, index) => (index === value ? 1 : 0));
}
