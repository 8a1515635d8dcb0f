import { readFileSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { protos } from '@google-cloud/spanner';
import { openSpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { readRange } from '../../../shared/adapters/spanner/reader/read-range.ts';
import type { Manifest } from '../../../shared/model/epochs/manifest.ts';
import { numberReader } from '../../../shared/model/tensors/column-vector.ts';
import { ownCpuSeconds, ownPeakRssMb } from '../process-meter.ts';
import { type OfficialRow, openOfficialClient } from './official-rows.ts';

const { ReadRequest } = protos.google.spanner.v1;
const BLOCK_ROWS = 8_192;

/** What one read found: enough to see that both sides read the same. */
interface Found {
  rows: number;
  delays: number;
}

type Read = () => Promise<Found>;

const database = 'projects/p/instances/i/databases/d';

/** Our reader: typed columns, in blocks. */
function ours({ plan, readTimestamp }: Manifest, windowBytes: number): { read: Read; close: () => void } {
  const channel = openSpannerChannel(database, process.env, { windowBytes });
  const source = { table: plan.table, columns: plan.columns, keyLength: plan.key.length, readTimestamp };
  const at = plan.columns.indexOf('DelayMinutes');
  const read = async (): Promise<Found> => {
    const found = { rows: 0, delays: 0 };
    const range = { from: undefined, to: undefined };
    for await (const block of readRange(channel, { ...source, range, blockRows: BLOCK_ROWS, reuse: true })) {
      const delays = block.columns[at];
      if (!delays) throw new Error('The column of delays is missing');
      const delay = numberReader(delays);
      for (let row = 0; row < block.rowCount; row += 1) found.delays += delay(row);
      found.rows += block.rowCount;
    }
    return found;
  };
  return { read, close: () => channel.close() };
}

/** The official client's rows as objects, counted where they arrive. */
function official({ plan }: Manifest, windowBytes: number): { read: Read; close: () => Promise<void> } {
  const client = openOfficialClient(plan.columns, windowBytes);
  const read = async (): Promise<Found> => {
    const found = { rows: 0, delays: 0 };
    const stream = client.rows();
    stream.on('data', (row: OfficialRow) => {
      found.rows += 1;
      found.delays += row.DelayMinutes;
    });
    await finished(stream);
    return found;
  };
  return { read, close: client.close };
}

/** gRPC alone: the messages' bytes, which nobody looks at. */
function raw({ plan, rowCount }: Manifest, windowBytes: number): { read: Read; close: () => void } {
  const channel = openSpannerChannel(database, process.env, { windowBytes });
  const read = async (): Promise<Found> => {
    const session = await channel.session();
    const request = ReadRequest.encode({ session, table: plan.table, columns: [...plan.columns] }).finish();
    for await (const message of channel.stream('StreamingRead', request, { session })) void message;
    return { rows: rowCount, delays: 0 };
  };
  return { read, close: () => channel.close() };
}

const sides = { ours, peer: official, raw };

/** Measures one side: one read to warm up, then so many that count. */
async function measure([
  which = '',
  manifestPath = '',
  passes = '',
  windowBytes = '',
]: readonly string[]): Promise<void> {
  const manifest: Manifest = JSON.parse(readFileSync(manifestPath, 'utf8'));
  const open = which === 'ours' || which === 'peer' || which === 'raw' ? sides[which] : undefined;
  if (!open) throw new Error(`There is no side ${which}`);
  const { read, close } = open(manifest, Number(windowBytes));
  await read();
  const cpuFrom = ownCpuSeconds();
  const from = performance.now();
  let found: Found = { rows: 0, delays: 0 };
  for (let pass = 0; pass < Number(passes); pass += 1) {
    found = await read();
    if (found.rows !== manifest.rowCount) throw new Error(`${found.rows} of ${manifest.rowCount} rows were read`);
  }
  const rows = Number(passes) * manifest.rowCount;
  const figures = {
    rowsPerSecond: rows / ((performance.now() - from) / 1000),
    cpuSecondsPerMillionRows: (ownCpuSeconds() - cpuFrom) / (rows / 1e6),
    rssMb: ownPeakRssMb(),
    delays: found.delays,
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  await close();
}

await measure(process.argv.slice(2));
