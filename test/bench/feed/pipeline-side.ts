import { readFileSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import { openSpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import type { EpochStore } from '../../../shared/adapters/spanner/epochs/epoch-store.ts';
import type { ShardLease, ShardLeases } from '../../../shared/adapters/spanner/epochs/shard-leases.ts';
import { trainerClient } from '../../../shared/adapters/trainer/trainer-client.ts';
import { startPosition } from '../../../shared/model/epochs/cut-block.ts';
import { type Manifest, versionsOf } from '../../../shared/model/epochs/manifest.ts';
import { ownCpuSeconds, ownPeakRssMb } from '../process-meter.ts';
import { type OfficialRow, openOfficialClient } from './official-rows.ts';
import { peerEncoder, putBatch } from './peer-batches.ts';

/** As read-shard has them. */
const MAX_UNDER_WAY = 8;
const LEASE_MS = 600_000;
/** Of the official client; ours sizes its own. */
const PEER_WINDOW_BYTES = 16 * 1024 * 1024;

/** Delivers the whole epoch; returns how many rows it sent. */
type Deliver = () => Promise<number>;

/** read-shard itself; only what it keeps in Spanner, the lease and the position, is kept in memory here. */
function ours(manifest: Manifest, trainer: string): { deliver: Deliver; close: () => void } {
  const channel = openSpannerChannel('projects/p/instances/i/databases/d', process.env);
  const tools = {
    store: memoryStore(manifest),
    leases: memoryLeases(),
    channel,
    trainerOf: (_: Manifest, signal: AbortSignal) =>
      trainerClient({ url: trainer, authorization: async () => 'Bearer bench', signal }),
    versions: versionsOf(process.versions),
    clock: Date.now,
    renewWithinMs: 1_000,
    signal: new AbortController().signal,
  };
  const deliver = async (): Promise<number> => {
    const outcome = await readShard(manifest.epoch, 0, tools);
    return outcome.status === 'done' ? outcome.rows : 0;
  };
  return { deliver, close: () => channel.close() };
}

function memoryStore(manifest: Manifest): EpochStore {
  return {
    find: async () => ({ state: 'reading', manifest }),
    save: async () => ({ state: 'reading', manifest }),
    markReading: async () => {},
    openShards: async () => [],
    shards: async () => [],
    markDelivered: async () => {},
  };
}

function memoryLeases(): ShardLeases {
  const expiresAtMs = Date.now() + LEASE_MS;
  const keep = async (lease: ShardLease): Promise<ShardLease> => lease;
  return {
    take: async (epoch, shard) => ({
      status: 'taken',
      lease: {
        epoch,
        shard,
        of: shard,
        owner: 'bench',
        fence: 1,
        expiresAtMs,
        position: startPosition,
        start: startPosition,
        cut: undefined,
      },
    }),
    renew: keep,
    save: async (lease, position) => ({ ...lease, position }),
    release: async () => {},
    finish: async () => {},
    fail: async (_, message) => {
      throw new Error(message);
    },
  };
}

/**
 * The official client's pipeline: rows, batches of the same size, as many PUTs under way as ours. The stream's events, since
 * `for await` would cost it 6 % more.
 */
function official(manifest: Manifest, trainer: string): { deliver: Deliver; close: () => Promise<void> } {
  const client = openOfficialClient(manifest.plan.columns, PEER_WINDOW_BYTES);
  const encode = peerEncoder(manifest);
  const deliver = async (): Promise<number> => {
    const stream = client.rows();
    const underWay = new Set<Promise<void>>();
    let rows: OfficialRow[] = [];
    let sent = 0;
    let sequence = 0;
    const send = (): void => {
      const sending = putBatch(trainer, sequence++, encode(rows)).finally(() => underWay.delete(sending));
      underWay.add(sending);
      sent += rows.length;
      rows = [];
    };
    stream.on('data', (row: OfficialRow) => {
      rows.push(row);
      if (rows.length < manifest.plan.batchRows) return;
      send();
      if (underWay.size < MAX_UNDER_WAY) return;
      stream.pause();
      Promise.race(underWay).then(
        () => stream.resume(),
        (error: Error) => stream.destroy(error),
      );
    });
    await finished(stream);
    if (rows.length > 0) send();
    await Promise.all(underWay);
    return sent;
  };
  return { deliver, close: client.close };
}

/** Measures one side: so many deliveries to warm up, and as many that count. */
async function measure([which = '', manifestPath = '', trainer = '', passes = '']: readonly string[]): Promise<void> {
  const manifest: Manifest = JSON.parse(readFileSync(manifestPath, 'utf8'));
  const { deliver, close } = which === 'ours' ? ours(manifest, trainer) : official(manifest, trainer);
  for (let pass = 0; pass < Number(passes); pass += 1) await deliver();
  const cpuFrom = ownCpuSeconds();
  const from = performance.now();
  for (let pass = 0; pass < Number(passes); pass += 1) {
    const sent = await deliver();
    if (sent !== manifest.rowCount) throw new Error(`${sent} of ${manifest.rowCount} rows were delivered`);
  }
  const rows = Number(passes) * manifest.rowCount;
  const figures = {
    endToEndRowsPerSecond: rows / ((performance.now() - from) / 1000),
    endToEndCpuSecondsPerMillionRows: (ownCpuSeconds() - cpuFrom) / (rows / 1e6),
    endToEndRssMb: ownPeakRssMb(),
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  await close();
}

await measure(process.argv.slice(2));
