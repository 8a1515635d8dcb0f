import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bench, benchResult, type Figures, figureOf, gained, type Round, saved } from './bench-result.ts';
import { type BuiltSides, buildSides } from './build-sides.ts';
import { startCloud } from './cloud-process.ts';
import { profileDelivery } from './feed/profile-delivery.ts';
import { type Recording, record } from './feed/recording.ts';
import { type ReplayAddresses, startServer } from './feed/start-server.ts';
import { runChild } from './run-child.ts';

const ROWS = 200_000;
const ROUNDS = 3;
/** Reads that count, after one that warms up: so many that each side takes seconds. */
const PASSES = { ours: 8, raw: 8, peer: 1 };
const PIPELINE_PASSES = { ours: 16, peer: 2 };
const MIB = 1024 * 1024;
/** The round trip to Spanner in the same region, or to another one nearby, with the window that a careful client takes. */
const ONE_WAY_MS = 5;
const FAR_WINDOW_BYTES = MIB;
const NEAR_WINDOW_BYTES = 16 * MIB;
const scripts = join(import.meta.dirname, 'feed');
const results = join(import.meta.dirname, 'results');

/**
 * read-shard's way from Spanner's bytes to delivered batches against the official client's, over 200,000 real flights.
 *
 * A StreamingRead of the laptop's Spanner is recorded once and replayed from memory by a third process, so that no server
 * limits either side. Both have the same flow-control window: 16 MiB, and 1 MiB where a proxy makes the round trip 10 ms.
 */
export const benchFeed: Bench = async ({ rounds: wanted = ROUNDS, profile = false, progress }) => {
  const built = await buildSides(scripts, [
    'replay-server',
    'delay-server',
    'read-side',
    'encode-side',
    'pipeline-side',
  ]);
  const dir = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
  try {
    progress(`loading ${ROWS} flights and recording their read`);
    const recording = await recordOnce(dir);
    const replay = await startServer<ReplayAddresses>(built.path('replay-server'), [recording.frames]);
    const args = [replay.addresses.spanner, String(ONE_WAY_MS)];
    const far = await startServer<{ address: string }>(built.path('delay-server'), args);
    try {
      const rounds: Round[] = [];
      for (let at = 1; at <= wanted; at += 1) {
        const round = await runRound(built, recording, { ...replay.addresses, far: far.addresses.address });
        progress(`round ${at} of ${wanted}: ${rate(round.ours)} rows/s, peer ${rate(round.peer)} rows/s`);
        rounds.push(round);
      }
      if (profile) {
        progress('a profiled run, not counted');
        const env = { SPANNER_EMULATOR_HOST: replay.addresses.spanner };
        const script = built.path('pipeline-side');
        const { manifest } = recording;
        await profileDelivery({ script, manifest, trainer: replay.addresses.trainer, env, rows: ROWS, dir, results });
      }
      return benchResult('feed', rounds, ratios);
    } finally {
      await far.stop();
      await replay.stop();
    }
  } finally {
    built.remove();
    rmSync(dir, { recursive: true, force: true });
  }
};

const ratios = {
  readCpu: saved('cpuSecondsPerMillionRows'),
  rowsPerSecond: gained('rowsPerSecond'),
  shareOfRawGrpc: ({ ours }: Round) => figureOf(ours, 'farRowsPerSecond') / figureOf(ours, 'farRawGrpcRowsPerSecond'),
  shareOfRawGrpcNear: ({ ours }: Round) => figureOf(ours, 'rowsPerSecond') / figureOf(ours, 'rawGrpcRowsPerSecond'),
  farRowsPerSecond: gained('farRowsPerSecond'),
  encode: ({ ours }: Round) => figureOf(ours, 'encodeYardstickMs') / figureOf(ours, 'encodeMs'),
  encodeVsArrow: ({ ours }: Round) => figureOf(ours, 'encodeArrowMs') / figureOf(ours, 'encodeMs'),
  endToEnd: gained('endToEndRowsPerSecond'),
  endToEndCpu: saved('endToEndCpuSecondsPerMillionRows'),
  rss: saved('rssMb'),
};

async function recordOnce(dir: string): Promise<Recording> {
  const cloud = await startCloud();
  try {
    return await record(cloud.env, ROWS, dir);
  } finally {
    await cloud.stop();
  }
}

interface Places extends ReplayAddresses {
  /** The replay behind a round trip of 10 ms. */
  readonly far: string;
}

async function runRound(built: BuiltSides, { frames, manifest }: Recording, places: Places): Promise<Round> {
  const env = { SPANNER_EMULATOR_HOST: places.spanner };
  const read = (side: 'ours' | 'peer' | 'raw', host = places.spanner, windowBytes = NEAR_WINDOW_BYTES) =>
    runChild(built.path('read-side'), [side, manifest, String(PASSES[side]), String(windowBytes)], {
      env: { SPANNER_EMULATOR_HOST: host },
    });
  const readFar = async (side: 'ours' | 'peer' | 'raw') =>
    figureOf(await read(side, places.far, FAR_WINDOW_BYTES), 'rowsPerSecond');
  const deliver = (side: 'ours' | 'peer') =>
    runChild(built.path('pipeline-side'), [side, manifest, places.trainer, String(PIPELINE_PASSES[side])], { env });
  const { delays: ourDelays, ...ours } = await read('ours');
  const { delays: peerDelays, ...peer } = await read('peer');
  if (ourDelays !== peerDelays) throw new Error(`The delays add up to ${ourDelays}, and to ${peerDelays} for the peer`);
  const rawGrpcRowsPerSecond = figureOf(await read('raw'), 'rowsPerSecond');
  const farRowsPerSecond = await readFar('ours');
  const farRawGrpcRowsPerSecond = await readFar('raw');
  const encode = await runChild(built.path('encode-side'), [manifest, frames]);
  const far = { farRowsPerSecond, farRawGrpcRowsPerSecond };
  return {
    ours: { ...ours, rawGrpcRowsPerSecond, ...far, ...encode, ...(await deliver('ours')) },
    peer: { ...peer, farRowsPerSecond: await readFar('peer'), ...(await deliver('peer')) },
  };
}

function rate({ rowsPerSecond = 0 }: Figures): number {
  return Math.round(rowsPerSecond);
}
