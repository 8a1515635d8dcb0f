import { execFile, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { type Bench, benchResult, type Figures, figureOf, type Round, saved } from './bench-result.ts';

const deploy = resolve(import.meta.dirname, '../../deploy');
const SMALL_ROWS = 200_000;
const LARGE_ROWS = 3_000_000;
const MAX_MS = 2 * 3_600_000;

/** What `penstock demo --json` counts from Spanner and the trainer. */
interface DemoOutcome {
  readonly lost: number;
  readonly doubled: number;
  readonly epoch: { readonly rows: number; readonly rowsSeenOnce: number };
  readonly seconds: { readonly ingest: number; readonly feed: number };
}

/**
 * All three million real flights of `flights-3m.parquet` on the laptop's servers: in through Kafka, planned, read, trained;
 * beside it, as the peer, 200,000 of them. What a row costs must not grow.
 *
 * The laptop's own Spanner and trainer are in every figure, and may be what limits it.
 */
export const benchScale: Bench = async ({ rounds: wanted = 1, progress }) => {
  const rounds: Round[] = [];
  for (let at = 1; at <= wanted; at += 1) {
    const peer = await demoFigures(SMALL_ROWS, progress);
    rounds.push({ ours: await demoFigures(LARGE_ROWS, progress), peer });
  }
  return benchResult('scale', rounds, {
    feedCostPerRow: saved('feedSecondsPerMillionRows'),
    ingestCostPerRow: saved('ingestSecondsPerMillionRows'),
  });
};

/**
 * Runs the demo once in a process of its own.
 *
 * @throws {Error} when it fails, takes over two hours, or a row is lost, doubled or not trained on once
 */
export async function demoFigures(rows: number, progress: (line: string) => void): Promise<Figures> {
  progress(`${rows} flights: in, planned, read and trained`);
  const { epoch, lost, doubled, seconds } = await demo(rows);
  if (lost + doubled > 0 || epoch.rows !== rows || epoch.rowsSeenOnce !== rows) {
    throw new Error(`Of ${rows}: ${lost} lost, ${doubled} doubled, ${epoch.rows} fed, ${epoch.rowsSeenOnce} once`);
  }
  const figures = {
    rows,
    ingestSecondsPerMillionRows: (seconds.ingest / rows) * 1e6,
    feedSecondsPerMillionRows: (seconds.feed / rows) * 1e6,
    feedRowsPerSecond: rows / seconds.feed,
  };
  progress(`${rows} flights: ${Math.round(figureOf(figures, 'feedRowsPerSecond'))} rows/s from plan to trained model`);
  return figures;
}

async function demo(rows: number): Promise<DemoOutcome> {
  await promisify(execFile)(process.execPath, [resolve(deploy, 'build.ts'), '--if-stale']);
  const args = [resolve(deploy, 'cli/penstock.ts'), 'demo', '--once', '--json', '--events', String(rows)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: MAX_MS });
  const out: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  const code = await new Promise((settle) => child.on('close', settle));
  if (code !== 0) throw new Error(`The demo of ${rows} flights ended with ${code}:\n${Buffer.concat(errors)}`);
  return JSON.parse(Buffer.concat(out).toString().trim().split('\n').at(-1) ?? '');
}
