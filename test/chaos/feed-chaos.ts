import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TrainerProgress } from '../../deploy/cli/demo/observe.ts';
import { type EpochProgress, epochProgress } from '../../deploy/cli/epoch-progress.ts';
import { type FeedRig, openFeedRig } from './feed-rig.ts';
import { changeFlights, countFlights, fillFlights } from './flights-table.ts';
import { peakRssMb } from './peak-rss.ts';
import { type BatchDigests, readQuietly } from './quiet-run.ts';
import { type Random, seededRandom } from './random.ts';
import { becomesTrue, waitUntil } from './wait-until.ts';

const DELIVERY_TIMEOUT_MS = 120_000;
const TRAINING_TIMEOUT_MS = 120_000;
const PROGRESS_TIMEOUT_MS = 30_000;
const OVERSLEEP_MS = 500;
const MAX_PAUSE_MS = 250;
const TRAINING_KILLS = 2;
/** Each of them comes before one comes again. */
const FAULTS = ['kill-reader', 'kill-reader', 'kill-reader', 'kill-trainer', 'lose-lease', 'deliver-twice'] as const;

/** How long to attack, and how hard. */
export interface FeedChaosOptions {
  readonly dist: string;
  readonly seed: number;
  readonly rows: number;
  readonly readers: number;
  /** Faults during one epoch's delivery at most, so that it ends. */
  readonly faultsPerEpoch: number;
  /** No epoch begins after so many kills, or so much time. */
  readonly kills: number;
  readonly maxMs: number;
  readonly onProgress?: (line: string) => void;
}

/** What a run did, and what is wrong with what the trainer has. */
export interface FeedChaosReport {
  readonly seed: number;
  readonly epochs: number;
  /** SIGKILLs of readers and trainers. */
  readonly kills: number;
  readonly faults: number;
  readonly lostLeases: number;
  readonly deliveredAgain: number;
  /** Kills that found a shard begun and not done. */
  readonly midShard: number;
  /** Rows of snapshots that were held against the trainer's saved positions. */
  readonly recordsChecked: number;
  readonly batchesChecked: number;
  readonly lost: number;
  readonly doubled: number;
  readonly peakRssMb: number;
  readonly seconds: number;
  readonly problems: readonly string[];
}

interface Attack {
  readonly rig: FeedRig;
  readonly random: Random;
  readonly options: FeedChaosOptions;
  readonly counts: {
    epochs: number;
    kills: number;
    lostLeases: number;
    deliveredAgain: number;
    midShard: number;
    recordsChecked: number;
    batchesChecked: number;
    lost: number;
    doubled: number;
    peakRssMb: number;
  };
  readonly problems: string[];
}

/** Attacks readers and trainer over one epoch after the other, while the table changes all the time. */
export async function runFeedChaos(options: FeedChaosOptions): Promise<FeedChaosReport> {
  const startedAt = performance.now();
  const rig = await openFeedRig(options);
  const ending = new AbortController();
  const counts = {
    epochs: 0,
    kills: 0,
    lostLeases: 0,
    deliveredAgain: 0,
    midShard: 0,
    recordsChecked: 0,
    batchesChecked: 0,
    lost: 0,
    doubled: 0,
    peakRssMb: 0,
  };
  const attack: Attack = { rig, random: seededRandom(options.seed), options, counts, problems: [] };
  let changing: Promise<number> = Promise.resolve(0);
  try {
    await fillFlights(rig.database, options.rows);
    changing = changeFlights(rig.database, seededRandom(options.seed + 1), ending.signal);
    changing.catch(() => {});
    do {
      await attackEpoch(attack);
    } while (counts.kills < options.kills && performance.now() - startedAt < options.maxMs);
    ending.abort();
    await changing;
  } finally {
    ending.abort();
    await changing.catch(() => {});
    await rig.close();
  }
  return {
    seed: options.seed,
    ...counts,
    faults: counts.kills + counts.lostLeases + counts.deliveredAgain,
    seconds: Math.round((performance.now() - startedAt) / 1000),
    problems: attack.problems,
  };
}

async function attackEpoch(attack: Attack): Promise<void> {
  const { rig, counts, options, problems } = attack;
  const { epoch, readTimestamp } = await rig.plan();
  await attackDelivery(attack, epoch);
  await waitUntil(
    `epoch ${epoch} is delivered`,
    async () => (await epochProgress(rig.database, epoch))?.state === 'delivered',
    DELIVERY_TIMEOUT_MS,
  );
  const trained = await attackTraining(attack, epoch);
  const rows = await countFlights(rig.database, readTimestamp);
  const quiet = await readQuietly(rig, epoch);
  problems.push(...rowProblems(epoch, { rows, trained, quietRows: quiet.rows }));
  problems.push(...batchProblems(epoch, quiet.digests, digestsOnDisk(rig.trainerDir, epoch)));
  counts.epochs += 1;
  counts.recordsChecked += rows;
  counts.batchesChecked += quiet.digests.size;
  counts.lost += Math.max(0, rows - trained.rowsSeenOnce);
  counts.doubled += Math.max(0, trained.rows - rows);
  options.onProgress?.(
    `${counts.epochs} epochs, ${counts.kills} kills, ${counts.lostLeases} lost leases, ${counts.deliveredAgain} messages twice; ${rows} rows at ${readTimestamp}, seen once ${trained.rowsSeenOnce}`,
  );
}

async function attackDelivery(attack: Attack, epoch: string): Promise<void> {
  const { rig, random, options } = attack;
  let faults: (typeof FAULTS)[number][] = [];
  for (let done = 0; done < options.faultsPerEpoch; done++) {
    const begun = await nextMoment(rig, epoch);
    if (!begun) return;
    await delay(random.between(0, MAX_PAUSE_MS));
    if (faults.length === 0) faults = random.shuffle(FAULTS);
    await strike(attack, epoch, faults.pop() ?? 'kill-reader');
  }
}

/** Waits until batches have come since the last fault, with some shard begun and not done; false when all are done. */
async function nextMoment(rig: FeedRig, epoch: string): Promise<boolean> {
  const batches = (progress: EpochProgress | undefined): number =>
    progress?.shards.reduce((sum, shard) => sum + shard.batches, 0) ?? 0;
  const before = batches(await epochProgress(rig.database, epoch));
  let delivered = false;
  await waitUntil(
    `epoch ${epoch} moves on after a fault`,
    async () => {
      const now = await epochProgress(rig.database, epoch);
      delivered = now?.state === 'delivered';
      return delivered || (batches(now) > before && isMidShard(now));
    },
    PROGRESS_TIMEOUT_MS,
  );
  return !delivered;
}

function isMidShard(progress: EpochProgress | undefined): boolean {
  return progress?.shards.some(({ state, batches }) => state === 'reading' && batches > 0) ?? false;
}

async function strike(attack: Attack, epoch: string, fault: (typeof FAULTS)[number]): Promise<void> {
  const { rig, random, counts } = attack;
  if (fault === 'kill-reader' || fault === 'kill-trainer') {
    counts.midShard += Number(isMidShard(await epochProgress(rig.database, epoch)));
    counts.kills += 1;
    const place = random.between(0, rig.readers.length);
    counts.peakRssMb = Math.max(counts.peakRssMb, ...rig.readers.map(({ pid }) => peakRssMb(pid)));
    await (fault === 'kill-reader' ? rig.killReader(place) : rig.killTrainer());
  } else if (fault === 'lose-lease') {
    counts.lostLeases += 1;
    const reader = rig.readers[random.between(0, rig.readers.length)];
    reader?.kill('SIGSTOP');
    await delay(rig.leaseMs + OVERSLEEP_MS);
    await deliverOpenShards(rig, epoch);
    await delay(OVERSLEEP_MS);
    reader?.kill('SIGCONT');
  } else {
    counts.deliveredAgain += 1;
    await deliverOpenShards(rig, epoch);
  }
}

async function deliverOpenShards(rig: FeedRig, epoch: string): Promise<void> {
  const progress = await epochProgress(rig.database, epoch);
  const open = progress?.shards.filter(({ state }) => state !== 'done') ?? [];
  await Promise.all(open.map(({ shard }) => rig.deliverAgain(epoch, shard)));
}

/** Kills the trainer between steps, and waits until it has trained every pass. */
async function attackTraining({ rig, random, counts }: Attack, epoch: string): Promise<TrainerProgress> {
  let progress: TrainerProgress | undefined;
  const ask = async (): Promise<TrainerProgress | undefined> => {
    progress = await rig.trainerProgress(epoch).catch(() => undefined);
    if (progress?.state === 'failed') throw new Error(`Training of ${epoch} failed: ${progress.error}`);
    return progress;
  };
  for (let kill = 0; kill < TRAINING_KILLS; kill++) {
    const from = (await ask())?.steps ?? 0;
    const target = from + random.between(1, 30);
    const inTime = await becomesTrue(async () => ((await ask())?.steps ?? 0) >= target, PROGRESS_TIMEOUT_MS);
    if (!inTime || progress?.state === 'trained') break;
    counts.kills += 1;
    await rig.killTrainer();
  }
  const trained = async (): Promise<boolean> => (await ask())?.state === 'trained';
  await waitUntil(`epoch ${epoch} is trained`, trained, TRAINING_TIMEOUT_MS);
  if (!progress) throw new Error(`The trainer says nothing of ${epoch}`);
  return progress;
}

function rowProblems(
  epoch: string,
  { rows, trained, quietRows }: { rows: number; trained: TrainerProgress; quietRows: number },
): string[] {
  const counted = { 'a quiet run': quietRows, 'the trainer': trained.rows, 'its saved position': trained.rowsSeenOnce };
  return Object.entries(counted).flatMap(([who, count]) =>
    count === rows ? [] : [`${epoch}: ${who} has ${count} rows; the table had ${rows} at the read timestamp`],
  );
}

function digestsOnDisk(trainerDir: string, epoch: string): BatchDigests {
  const shards = join(trainerDir, 'epochs', encodeURIComponent(epoch), 'shards');
  const digests = new Map<string, string>();
  for (const shard of readdirSync(shards)) {
    for (const file of readdirSync(join(shards, shard))) {
      if (!file.endsWith('.batch')) continue;
      const body = readFileSync(join(shards, shard, file));
      digests.set(`${shard}/${file.slice(0, file.indexOf('.'))}`, createHash('sha256').update(body).digest('hex'));
    }
  }
  return digests;
}

function batchProblems(epoch: string, wanted: BatchDigests, found: BatchDigests): string[] {
  const problems: string[] = [];
  for (const place of new Set([...wanted.keys(), ...found.keys()])) {
    if (wanted.get(place) === found.get(place)) continue;
    const what = !found.has(place) ? 'is missing' : !wanted.has(place) ? 'should not be there' : 'has other bytes';
    problems.push(`${epoch}: batch ${place} ${what}, held against a quiet run`);
  }
  return problems;
}
