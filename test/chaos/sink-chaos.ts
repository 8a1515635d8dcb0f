import { setTimeout as delay } from 'node:timers/promises';
import type { RunningFunction } from '../../deploy/local/functions/run-function.ts';
import { isCaughtUp } from './caught-up.ts';
import { countDamages, type Damage, findDamages } from './history-checker.ts';
import { type Load, openLoad } from './load.ts';
import { type Random, seededRandom } from './random.ts';
import { readCheckpoints, readHistory } from './read-history.ts';
import { openSinkRig, type SinkRig } from './sink-rig.ts';
import { becomesTrue, waitUntil } from './wait-until.ts';
import { openWorkerCrew, type WorkerCrew } from './worker-crew.ts';

const PARTITIONS = 4;
const WORKERS = 3;
const MIN_KILLED = 2;
const ABORT_RATE = 1 / 3;
/** Sinks must get on with their work within this time after any fault. */
const PROGRESS_TIMEOUT_MS = 60_000;
const CATCH_UP_TIMEOUT_MS = 120_000;
/** How long beyond its session a stopped worker sleeps. */
const OVERSLEEP_MS = 500;
const MAX_PAUSE_MS = 700;
/** Each of them comes before one comes again. */
const FAULTS = ['kill', 'kill', 'kill', 'kill', 'kill', 'zombie', 'move', 'kill-push'] as const;

/** How long to attack, and how hard. */
export interface SinkChaosOptions {
  readonly dist: string;
  readonly seed: number;
  /** Ends after so many kills of sinks, or so much time, whichever comes first. */
  readonly kills: number;
  readonly maxMs: number;
  readonly recordsPerSecond: number;
  readonly onProgress?: (line: string) => void;
}

/** What a run did, and what the checker says. */
export interface SinkChaosReport {
  readonly seed: number;
  /** SIGKILLs of kafka-sink and pubsub-sink. */
  readonly kills: number;
  /** All faults: kills, zombies, moved partitions. */
  readonly faults: number;
  readonly zombies: number;
  readonly moves: number;
  /** Records and messages that were held against Spanner. */
  readonly recordsChecked: number;
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  readonly staleOwners: number;
  /** Any other damage. */
  readonly otherDamages: number;
  readonly crashes: number;
  readonly peakRssMb: number;
  readonly seconds: number;
  readonly damages: readonly Damage[];
  readonly crashLines: readonly string[];
}

interface Attack {
  readonly rig: SinkRig;
  readonly crew: WorkerCrew;
  readonly random: Random;
  readonly counts: { kills: number; zombies: number; moves: number };
  push: RunningFunction;
}

/** Attacks the sinks under continuous load, then lets them catch up and checks the whole history. */
export async function runSinkChaos(options: SinkChaosOptions): Promise<SinkChaosReport> {
  const startedAt = performance.now();
  const rig = await openSinkRig({ dist: options.dist, partitions: PARTITIONS });
  // What is sent and what is done to the sinks must not depend on each other's timing.
  const load = await openLoad(rig, seededRandom(options.seed));
  const random = seededRandom(options.seed + 1);
  const ending = new AbortController();
  let crew: WorkerCrew | undefined;
  try {
    const push = await rig.startPushSink();
    crew = openWorkerCrew(rig, random, WORKERS);
    const attack: Attack = {
      rig,
      random,
      push,
      crew,
      counts: { kills: 0, zombies: 0, moves: 0 },
    };
    rig.cloud.spanner.setAbortRate(ABORT_RATE, options.seed);
    const loading = load.run({
      recordsPerSecond: options.recordsPerSecond,
      messagesPerSecond: options.recordsPerSecond / 10,
      pushUrl: push.url,
      signal: ending.signal,
    });
    loading.catch(() => {});
    await attackUntil(attack, load, options, startedAt);
    ending.abort();
    await loading;
    rig.cloud.spanner.setAbortRate(0, options.seed);
    options.onProgress?.('No more faults; waiting until the sinks have caught up');
    await becomesTrue(() => isCaughtUp(rig, load), CATCH_UP_TIMEOUT_MS);
    const damages = findDamages(load.history, await readHistory(rig.database));
    return reportOf(attack, load, { options, damages, startedAt });
  } finally {
    ending.abort();
    crew?.close();
    await load.close();
    await rig.close();
  }
}

async function attackUntil(attack: Attack, load: Load, options: SinkChaosOptions, startedAt: number): Promise<void> {
  const { rig, crew, random, counts } = attack;
  await waitForProgress(rig);
  let faults: (typeof FAULTS)[number][] = [];
  while (counts.kills < options.kills && performance.now() - startedAt < options.maxMs) {
    if (faults.length === 0) faults = random.shuffle(FAULTS);
    const fault = faults.pop();
    await delay(random.between(0, MAX_PAUSE_MS));
    if (fault === 'kill') {
      const count = random.between(MIN_KILLED, WORKERS + 1);
      crew.kill(count);
      counts.kills += count;
    } else if (fault === 'zombie') await makeZombie(attack);
    else if (fault === 'move') await movePartitions(attack);
    else await killPush(attack);
    await waitForProgress(rig);
    const { kills, zombies, moves } = counts;
    const records = load.history.partitions.reduce((sum, { length }) => sum + length, 0);
    options.onProgress?.(
      `${kills} kills, ${zombies} zombies, ${moves} moves; ${records} records and ${load.history.published.size} messages sent`,
    );
  }
}

/** A worker sleeps past its session, and wakes when its partitions have other owners. */
async function makeZombie({ rig, crew, random, counts }: Attack): Promise<void> {
  const sleeper = crew.workers[random.between(0, crew.workers.length)];
  if (!sleeper) return;
  sleeper.kill('SIGSTOP');
  counts.zombies += 1;
  await delay(rig.sessionMs + OVERSLEEP_MS);
  await waitForProgress(rig);
  sleeper.kill('SIGCONT');
}

/** One more worker comes, and another one goes: partitions move twice. */
async function movePartitions({ rig, crew, counts }: Attack): Promise<void> {
  crew.join();
  await waitForProgress(rig);
  await crew.leave();
  counts.moves += 1;
}

async function killPush(attack: Attack): Promise<void> {
  attack.push.kill('SIGKILL');
  await attack.push.ended;
  attack.counts.kills += 1;
  attack.push = await attack.rig.startPushSink();
}

/** Waits until some partition of each pipeline has moved on. */
async function waitForProgress(rig: SinkRig): Promise<void> {
  const sums = async (): Promise<Map<string, number>> => {
    const byPipeline = new Map<string, number>([
      ['events', 0],
      ['latest', 0],
      ['counters', 0],
    ]);
    for (const [at, { nextOffset }] of await readCheckpoints(rig.database)) {
      const pipeline = at.slice(0, at.indexOf('/'));
      byPipeline.set(pipeline, (byPipeline.get(pipeline) ?? 0) + nextOffset);
    }
    return byPipeline;
  };
  const before = await sums();
  const moved = async (): Promise<boolean> =>
    [...(await sums())].every(([pipeline, sum]) => sum > (before.get(pipeline) ?? 0));
  await waitUntil('every pipeline moves on after a fault', moved, PROGRESS_TIMEOUT_MS);
}

function reportOf(
  { crew, counts }: Attack,
  { history }: Load,
  { options, damages, startedAt }: { options: SinkChaosOptions; damages: readonly Damage[]; startedAt: number },
): SinkChaosReport {
  const [lost, doubled, reordered, staleOwners] = (['lost', 'doubled', 'reordered', 'stale-owner'] as const).map(
    (kind) => countDamages(damages, kind),
  );
  return {
    seed: options.seed,
    kills: counts.kills,
    faults: counts.kills + counts.zombies + counts.moves,
    zombies: counts.zombies,
    moves: counts.moves,
    recordsChecked: history.partitions.reduce((sum, { length }) => sum + length, history.published.size),
    lost: lost ?? 0,
    doubled: doubled ?? 0,
    reordered: reordered ?? 0,
    staleOwners: staleOwners ?? 0,
    otherDamages: countDamages(damages, 'broken-lineage') + countDamages(damages, 'unknown'),
    crashes: crew.crashes.length,
    peakRssMb: crew.peakRssMb(),
    seconds: Math.round((performance.now() - startedAt) / 1000),
    damages,
    crashLines: crew.crashes,
  };
}
