import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Fed, feedModel } from '../../../deploy/cli/demo/feed-model.ts';
import { readFlights } from '../../../deploy/cli/demo/flights.ts';
import { openScreen } from '../../../deploy/cli/screen.ts';
import { openStack, type Stack } from '../../../deploy/cli/stack/stack.ts';
import { peerRow } from '../ingest/peer-row.ts';
import { cpuSeconds, ownPeakRssMb, peakRssMb } from '../process-meter.ts';

const demoFolder = new URL('../../../deploy/local/demo/', import.meta.url);
const ROWS_PER_INSERT = 5_000;

/** The processes that an epoch goes through; all else is the laptop's cloud. */
interface Pids {
  readonly planEpoch: number;
  readonly readShard: number;
  readonly trainer: number;
}

/**
 * Writes so many real flights straight into the laptop's Spanner, then has the demo's feed planned, read and trained by the
 * functions as they deploy. Prints what a million rows took, as one line of JSON.
 *
 * @throws {Error} unless every row entered each pass of the training once
 */
async function feedAll(rows: number): Promise<void> {
  // One pass sees every row; more would be the trainer's own work again.
  process.env.PENSTOCK_TRAINER_PASSES = '1';
  const stack = await openStack({
    declaration: readFileSync(new URL('penstock.yaml', demoFolder), 'utf8'),
    beside: fileURLToPath(demoFolder),
    tables: readFileSync(new URL('tables.sql', demoFolder), 'utf8'),
  });
  try {
    const loadFrom = performance.now();
    await load(stack, rows);
    const loadSeconds = (performance.now() - loadFrom) / 1000;
    const pids = { ...functionPids(), trainer: stack.trainer.pid };
    const before = cpuOf(pids);
    const fed = await feedModel(stack, 'delays', openScreen(process.stderr, false));
    const { epoch } = fed;
    if (epoch.rows !== rows || epoch.rowsSeenOnce !== rows) {
      throw new Error(`Of ${rows} rows ${epoch.rows} were fed, ${epoch.rowsSeenOnce} once in each pass`);
    }
    process.stdout.write(
      `${JSON.stringify({ ...figures(rows, fed, before, pids), loadSeconds, cloudRssMb: ownPeakRssMb() })}\n`,
    );
  } finally {
    await stack.close();
  }
}

async function load(stack: Stack, rows: number): Promise<void> {
  const table = stack.database.table('Flights');
  let waiting: object[] = [];
  let written = 0;
  const write = async (): Promise<void> => {
    await table.insert(waiting);
    written += waiting.length;
    waiting = [];
    if (written % 200_000 === 0) process.stderr.write(`${written} of ${rows} flights are in Spanner\n`);
  };
  for await (const chunk of readFlights(rows)) {
    for (const { id, ...event } of chunk) waiting.push(peerRow(Buffer.from(id), Buffer.from(JSON.stringify(event))));
    if (waiting.length >= ROWS_PER_INSERT) await write();
  }
  if (waiting.length > 0) await write();
}

/** Of the functions that this process started, by what they were started with. */
function functionPids(): Omit<Pids, 'trainer'> {
  const pidOf = (name: string): number => {
    const found = readdirSync('/proc').find((entry) => {
      if (!/^\d+$/.test(entry)) return false;
      try {
        const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${entry}/status`, 'utf8'))?.[1];
        return (
          Number(parent) === process.pid && readFileSync(`/proc/${entry}/cmdline`, 'utf8').includes(`--target=${name}`)
        );
      } catch {
        // It has ended since.
        return false;
      }
    });
    if (found === undefined) throw new Error(`There is no process of ${name}`);
    return Number(found);
  };
  return { planEpoch: pidOf('plan-epoch'), readShard: pidOf('read-shard') };
}

function cpuOf({ planEpoch, readShard, trainer }: Pids): Readonly<Record<keyof Pids, number>> {
  return { planEpoch: cpuSeconds(planEpoch), readShard: cpuSeconds(readShard), trainer: cpuSeconds(trainer) };
}

function figures(rows: number, { seconds, epoch, training }: Fed, before: ReturnType<typeof cpuOf>, pids: Pids) {
  const after = cpuOf(pids);
  const perMillion = (name: keyof Pids): number => (after[name] - before[name]) / (rows / 1e6);
  return {
    rows,
    batches: epoch.batches,
    steps: training.steps,
    feedSecondsPerMillionRows: (seconds / rows) * 1e6,
    feedRowsPerSecond: rows / seconds,
    planCpuSecondsPerMillionRows: perMillion('planEpoch'),
    readCpuSecondsPerMillionRows: perMillion('readShard'),
    trainCpuSecondsPerMillionRows: perMillion('trainer'),
    planRssMb: peakRssMb(pids.planEpoch),
    readRssMb: peakRssMb(pids.readShard),
    trainerRssMb: peakRssMb(pids.trainer),
  };
}

await feedAll(Number(process.argv[2]));
