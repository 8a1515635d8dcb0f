import { checkEpoch, forgetEpoch, openMotion, untilDelivered } from './feed-check.ts';
import { type Attack, attackAtRandom, type FaultCounts, killsOf, planUnderAttack } from './feed-faults.ts';
import { openFeedRig } from './feed-rig.ts';
import { changeFlights, fillFlights } from './flights-table.ts';
import { seededRandom } from './random.ts';

/** Epochs that are delivered, trained or checked at once. */
const MAX_OPEN_EPOCHS = 4;
/** Shard messages are held back for up to so long, and so overtake each other. */
const MAX_MESSAGE_DELAY_MS = 400;

/** How long to attack, and how hard. */
export interface FeedChaosOptions {
  readonly dist: string;
  readonly seed: number;
  readonly rows: number;
  readonly readers: number;
  /** No fault and no epoch begins after so many kills, each of the three kinds among them, or so much time. */
  readonly kills: number;
  readonly maxMs: number;
  readonly onProgress?: (line: string) => void;
}

/** What a run did, and what is wrong with what the trainer has. */
export interface FeedChaosReport {
  readonly seed: number;
  readonly epochs: number;
  /** SIGKILLs of processes that were at work. */
  readonly kills: number;
  readonly readerKills: number;
  readonly trainerKills: number;
  readonly plannerKills: number;
  readonly faults: number;
  /** Readers that went on with a shard which another had taken. */
  readonly lostLeases: number;
  readonly deliveredAgain: number;
  /** Transactions that changed the table meanwhile. */
  readonly changes: number;
  /** Rows of snapshots that were held against the trainer's saved positions. */
  readonly recordsChecked: number;
  readonly batchesChecked: number;
  readonly lost: number;
  readonly doubled: number;
  readonly peakRssMb: number;
  readonly seconds: number;
  readonly problems: readonly string[];
}

interface Results {
  epochs: number;
  recordsChecked: number;
  batchesChecked: number;
  lost: number;
  doubled: number;
  readonly problems: string[];
}

/** Attacks planner, readers and trainer over many epochs, several at once, while the table changes all the time. */
export async function runFeedChaos(options: FeedChaosOptions): Promise<FeedChaosReport> {
  const startedAt = performance.now();
  const pauses = seededRandom(options.seed + 2);
  const rig = await openFeedRig({ ...options, pauseMs: () => pauses.between(0, MAX_MESSAGE_DELAY_MS) });
  const ending = new AbortController();
  const counts: FaultCounts = {
    kills: { reader: 0, trainer: 0, planner: 0 },
    lostLeases: 0,
    deliveredAgain: 0,
    peakRssMb: 0,
  };
  const isOver = (): boolean => isEnough(counts, options, performance.now() - startedAt);
  const attack: Attack = { rig, counts, seed: options.seed, motion: openMotion(), isOver, signal: ending.signal };
  const results: Results = { epochs: 0, recordsChecked: 0, batchesChecked: 0, lost: 0, doubled: 0, problems: [] };
  let changes = 0;
  let changing: Promise<unknown> = Promise.resolve();
  try {
    await fillFlights(rig.database, options.rows);
    changing = changeFlights(rig.database, seededRandom(options.seed + 1), ending.signal).then((n) => {
      changes = n;
    });
    changing.catch(() => {});
    await Promise.race([attackEpochs(attack, options, results), failing(changing)]);
    ending.abort();
    await changing;
  } finally {
    ending.abort();
    await changing.catch(() => {});
    await rig.close();
  }
  const { kills, ...other } = counts;
  return {
    seed: options.seed,
    kills: killsOf(counts),
    readerKills: kills.reader,
    trainerKills: kills.trainer,
    plannerKills: kills.planner,
    ...other,
    ...results,
    changes,
    faults: killsOf(counts) + counts.lostLeases + counts.deliveredAgain,
    seconds: Math.round((performance.now() - startedAt) / 1000),
  };
}

function isEnough(counts: FaultCounts, { kills, maxMs }: FeedChaosOptions, elapsedMs: number): boolean {
  const isEachKilled = Object.values(counts.kills).every((count) => count > 0);
  return elapsedMs >= maxMs || (killsOf(counts) >= kills && isEachKilled);
}

/** Fails when it fails, and else never settles. */
function failing(work: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => work.catch(reject));
}

/** Plans one epoch after the other, while those before are delivered, trained and checked; ends when all are. */
async function attackEpochs(attack: Attack, options: FeedChaosOptions, results: Results): Promise<void> {
  const random = seededRandom(options.seed);
  const attacking = attackAtRandom(attack);
  const open = new Set<Promise<void>>();
  const broken = failing(attacking);
  for (let number = 0; number === 0 || !attack.isOver(); number += 1) {
    const planned = await Promise.race([planUnderAttack(attack, `chaos-${number}`, random), broken]);
    open.add(track(open, oneEpoch(attack, planned, { options, results })));
    while (open.size >= MAX_OPEN_EPOCHS) await Promise.race([...open, broken]);
  }
  await Promise.race([Promise.all([attacking, ...open]), broken]);
}

function track(open: Set<Promise<void>>, work: Promise<void>): Promise<void> {
  const tracked = work.finally(() => open.delete(tracked));
  // It is waited for where all are.
  tracked.catch(() => {});
  return tracked;
}

async function oneEpoch(
  { rig, counts, motion }: Attack,
  planned: { readonly epoch: string; readonly readTimestamp: string },
  { options, results }: { readonly options: FeedChaosOptions; readonly results: Results },
): Promise<void> {
  const { epoch, readTimestamp } = planned;
  rig.watched.add(epoch);
  await untilDelivered(rig, epoch, motion);
  const check = await checkEpoch(rig, planned, motion);
  rig.watched.delete(epoch);
  forgetEpoch(rig, epoch);
  results.epochs += 1;
  results.recordsChecked += check.rows;
  results.batchesChecked += check.batches;
  results.lost += check.lost;
  results.doubled += check.doubled;
  results.problems.push(...check.problems);
  const { kills } = counts;
  options.onProgress?.(
    `${results.epochs} epochs; kills: ${kills.reader} readers, ${kills.trainer} trainers, ${kills.planner} planners; ` +
      `${counts.lostLeases} lost leases, ${counts.deliveredAgain} messages again; ${check.rows} rows at ${readTimestamp}, lost ${check.lost}, doubled ${check.doubled}`,
  );
}
