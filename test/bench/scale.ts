import { join } from 'node:path';
import { buildFunctions } from '../../deploy/build.ts';
import { type Bench, benchResult, type Figures, figureOf, type Round, saved } from './bench-result.ts';
import { runChild } from './run-child.ts';

const script = join(import.meta.dirname, 'scale/feed-all.ts');
const SMALL_ROWS = 200_000;
const LARGE_ROWS = 3_000_000;

/**
 * All three million real flights of `flights-3m.parquet` through plan, read and training on the laptop's servers; beside it,
 * as the peer, 200,000 of them. What a row costs must not grow: CPU of plan-epoch and read-shard, and time.
 *
 * The laptop's own Spanner and trainer are in the time, and may be what limits it.
 */
export const benchScale: Bench = async ({ rounds: wanted = 1, progress }) => {
  await buildFunctions({ ifStale: true });
  const rounds: Round[] = [];
  for (let at = 1; at <= wanted; at += 1) {
    const peer = await feedFigures(SMALL_ROWS, progress);
    rounds.push({ ours: await feedFigures(LARGE_ROWS, progress), peer });
  }
  return benchResult('scale', rounds, {
    feedCostPerRow: saved('feedSecondsPerMillionRows'),
    planCpuPerRow: saved('planCpuSecondsPerMillionRows'),
    readCpuPerRow: saved('readCpuSecondsPerMillionRows'),
    trainCpuPerRow: saved('trainCpuSecondsPerMillionRows'),
    readRss: saved('readRssMb'),
    planRss: saved('planRssMb'),
  });
};

async function feedFigures(rows: number, progress: (line: string) => void): Promise<Figures> {
  progress(`${rows} flights: written, then planned, read and trained`);
  const figures = await runChild(script, [String(rows)]);
  progress(`${rows} flights: ${Math.round(figureOf(figures, 'feedRowsPerSecond'))} rows/s from plan to trained model`);
  return figures;
}
