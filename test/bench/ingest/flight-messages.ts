import { type Flight, readFlights } from '../../../deploy/cli/demo/flights.ts';
import { PARTITIONS } from './topic.ts';

const FLIGHTS = 20_000;
const DELAYS = 4;

/** Messages as kafkajs sends them. */
export interface FlightMessage {
  readonly key: string;
  readonly value: string;
  readonly timestamp: string;
  readonly partition: number;
}

/**
 * Makes messages of real flights, the same ones again and again, each time with another delay, so that their rows change; the
 * n-th message is always the same.
 */
export async function openFlightMessages(): Promise<(from: number, to: number, sentAtMs: number) => FlightMessage[]> {
  const flights: { readonly key: string; readonly values: readonly string[] }[] = [];
  for await (const chunk of readFlights(FLIGHTS)) {
    for (const { id, ...value } of chunk) flights.push({ key: id, values: valuesOf(value) });
  }
  return (from, to, sentAtMs) =>
    Array.from({ length: to - from }, (_, at) => {
      const time = Math.floor((from + at) / flights.length);
      const index = (from + at) % flights.length;
      const { key, values } = flights[index] ?? { key: '', values: [] };
      const value = values[time % DELAYS] ?? '';
      // By the flight, not by the count: a flight's events stay in one partition.
      return { key, value, timestamp: String(sentAtMs), partition: index % PARTITIONS };
    });
}

function valuesOf(flight: Omit<Flight, 'id'>): string[] {
  return Array.from({ length: DELAYS }, (_, more) => JSON.stringify({ ...flight, delay: flight.delay + more }));
}
