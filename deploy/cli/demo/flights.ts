import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { zstdDecompressSync } from 'node:zlib';
import { type AsyncBuffer, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { asyncBufferFromFile } from 'hyparquet/src/node.js';

/** The samples of real US flights of 2001 that the package holds as JSON. */
const JSON_SIZES = [2_000, 5_000, 10_000, 20_000] as const;
const CHUNK_ROWS = 1_000;

/** A real flight, as an event. */
export interface Flight {
  readonly id: string;
  /** `yyyy/MM/dd HH:mm`, in the departure's local time. */
  readonly date: string;
  /** Minutes; negative when early. */
  readonly delay: number;
  /** Miles. */
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

/** Where `vega-datasets` keeps its files. */
export function datasetPath(file: string): string {
  // The package exports its main alone, build/index.js; the data lie beside that folder.
  return fileURLToPath(new URL(`../data/${file}`, import.meta.resolve('vega-datasets')));
}

/**
 * Reads real flights in the order of their departure: up to 20,000 from a JSON sample, more by an even stride
 * through the three million of `flights-3m.parquet`.
 *
 * @param count flights wanted, 1 to 3,000,000
 * @returns chunks of at most 1,000
 */
export async function* readFlights(count: number): AsyncGenerator<Flight[]> {
  let chunk: Flight[] = [];
  let index = 0;
  for await (const row of count <= 20_000 ? jsonRows(count) : parquetRows(count)) {
    chunk.push({ id: flightId(index++), ...row });
    if (chunk.length === CHUNK_ROWS) {
      yield chunk;
      chunk = [];
    }
  }
  if (chunk.length > 0) yield chunk;
}

/** The low digits come first, so that neighbours in time are not neighbours in the table. */
function flightId(index: number): string {
  const digits = String(index).padStart(8, '0');
  return `${[...digits].reverse().join('').slice(0, 3)}-${digits}`;
}

type Row = Omit<Flight, 'id'>;

function* jsonRows(count: number): Generator<Row> {
  const size = JSON_SIZES.find((candidate) => candidate >= count) ?? 20_000;
  const name = `flights-${size / 1000}k.json`;
  const rows: readonly Row[] = JSON.parse(readFileSync(datasetPath(name), 'utf8'));
  yield* rows.slice(0, count);
}

async function* parquetRows(count: number): AsyncGenerator<Row> {
  const file: AsyncBuffer = await asyncBufferFromFile(datasetPath('flights-3m.parquet'));
  const metadata = await parquetMetadataAsync(file);
  const total = Number(metadata.num_rows);
  const compressors = { ZSTD: (input: Uint8Array) => new Uint8Array(zstdDecompressSync(input)) };
  let taken = 0;
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const rows = await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd });
    for (; taken < count; taken++) {
      const at = Math.floor((taken * total) / count) - rowStart;
      const row = rows[at];
      if (row === undefined) break;
      yield rowOf(row);
    }
    rowStart = rowEnd;
  }
}

function rowOf(row: Readonly<Record<string, unknown>>): Row {
  if (!(row.date instanceof Date)) throw new Error(`flights-3m.parquet has the date ${String(row.date)}`);
  return {
    // The file's timestamps are local times without a zone, read as if they were UTC.
    date: row.date.toISOString().slice(0, 16).replaceAll('-', '/').replace('T', ' '),
    delay: Number(row.delay),
    distance: Number(row.distance),
    origin: String(row.origin),
    destination: String(row.destination),
  };
}
