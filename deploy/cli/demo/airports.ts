import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { datasetPath } from './flights.ts';

/** The day that the list was taken for; an airport changes only by an event that is newer. */
const UPDATED_AT = '2001-01-01T00:00:00Z';

/** An airport, as an event. */
export interface Airport {
  readonly iata: string;
  readonly name: string;
  readonly city: string;
  readonly state: string;
  readonly country: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly updatedAt: string;
}

/** Reads the airports of the United States. */
export function readAirports(): Airport[] {
  const rows: readonly Readonly<Record<string, string>>[] = parse(readFileSync(datasetPath('airports.csv')), {
    columns: true,
  });
  return rows.map(({ iata = '', name = '', city = '', state = '', country = '', latitude, longitude }) => ({
    iata,
    name,
    city,
    state,
    country,
    latitude: Number(latitude),
    longitude: Number(longitude),
    updatedAt: UPDATED_AT,
  }));
}
