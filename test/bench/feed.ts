import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bench, benchResult, type Figures, figureOf, gained, type Round, saved } from './bench-result.ts';
import { type BuiltSides, buildSides } from './build-sides.ts';
import { startCloud } from './cloud-process.ts';
import { type Recording, record } from './feed/recording.ts';
import { type Replay, startReplay } from './feed/start-replay.ts';
import { runChild } from './run-child.ts';

const ROWS = 200_000;
const ROUNDS = 3;
/** Reads that count, after one that warms up: so many that each side takes seconds. */
const PASSES = { ours: 6, raw: 6, peer: 1 };
const PIPELINE_PASSES = { ours: 3, peer: 1 };
const scripts = join(import.meta.dirname, 'feed');

/**
 * read-shard's way from Spanner's bytes to delivered batches against the official client's, over 200,000 real flights.
 *
 * A StreamingRead of the laptop's Spanner is recorded once and replayed from memory by a third process, so that no server
 * limits either side. Both have a flow-control window of 16 MiB.
 */
export const benchFeed: Bench = async ({ rounds: wanted = ROUNDS, progress }) => {
  const built = await buildSides(scripts, ['replay-server', 'read-side', 'encode-side', 'pipeline-side']);
  const dir = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
  try {
    progress(`loading ${ROWS} flights and recording their read`);
    const recording = await recordOnce(dir);
    const replay = await startReplay(built.path('replay-server'), recording.frames);
    try {
      const rounds: Round[] = [];
      for (let at = 1; at <= wanted; at += 1) {
        const round = await runRound(built, recording, replay);
        progress(`round ${at} of ${wanted}: ${rate(round.ours)} rows/s, peer ${rate(round.peer)} rows/s`);
        rounds.push(round);
      }
      return benchResult('feed', rounds, ratios);
    } finally {
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
  shareOfRawGrpc: ({ ours }: Round) => figureOf(ours, 'rowsPerSecond') / figureOf(ours, 'rawGrpcRowsPerSecond'),
  encode: ({ ours }: Round) => figureOf(ours, 'encodeYardstickMs') / figureOf(ours, 'encodeMs'),
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

async function runRound(built: BuiltSides, { frames, manifest }: Recording, replay: Replay): Promise<Round> {
  const env = { SPANNER_EMULATOR_HOST: replay.spanner };
  const read = (side: 'ours' | 'peer' | 'raw') =>
    runChild(built.path('read-side'), [side, manifest, String(PASSES[side])], { env });
  const deliver = (side: 'ours' | 'peer') =>
    runChild(built.path('pipeline-side'), [side, manifest, replay.trainer, String(PIPELINE_PASSES[side])], { env });
  const { delays: ourDelays, ...ours } = await read('ours');
  const { delays: peerDelays, ...peer } = await read('peer');
  if (ourDelays !== peerDelays) throw new Error(`The delays add up to ${ourDelays}, and to ${peerDelays} for the peer`);
  const raw = await read('raw');
  const encode = await runChild(built.path('encode-side'), [manifest, frames]);
  const rawGrpcRowsPerSecond = figureOf(raw, 'rowsPerSecond');
  return {
    ours: { ...ours, rawGrpcRowsPerSecond, ...encode, ...(await deliver('ours')) },
    peer: { ...peer, ...(await deliver('peer')) },
  };
}

function rate({ rowsPerSecond = 0 }: Figures): number {
  return Math.round(rowsPerSecond);
}
