import { setTimeout as delay } from 'node:timers/promises';
import type { RunningFunction } from '../../deploy/local/functions/run-function.ts';
import { topicPipelines } from './history.ts';
import type { Load } from './load.ts';
import type { Random } from './random.ts';
import { readCheckpoints } from './read-history.ts';
import type { SinkRig } from './sink-rig.ts';
import { waitUntil } from './wait-until.ts';
import type { WorkerCrew } from './worker-crew.ts';

/** Sinks must get on with their work within this time after any fault. */
const PROGRESS_TIMEOUT_MS = 120_000;
/** How long beyond its session a stopped worker sleeps. */
const OVERSLEEP_MS = 500;
const MAX_OUTAGE_MS = 1_500;
const MAX_OPEN_MS = 1_500;
const TRANSACTED = 20;
const MAX_SALVOS = 4;
const MAX_ADDED = 3;
const MAX_SALVO_PAUSE_MS = 1_200;

/** What has been done to the sinks. */
export interface FaultCounts {
  /** SIGKILLs of kafka-sink and pubsub-sink. */
  kills: number;
  zombies: number;
  moves: number;
  brokerRestarts: number;
  spannerRestarts: number;
  transactions: number;
  partitionsAdded: number;
}

/** Who is attacked. */
export interface Attack {
  readonly rig: SinkRig;
  readonly crew: WorkerCrew;
  readonly load: Load;
  readonly random: Random;
  readonly counts: FaultCounts;
  /** Undefined where only kafka-sink runs. */
  push: RunningFunction | undefined;
}

export type Fault =
  | 'kill'
  | 'zombie'
  | 'move'
  | 'kill-push'
  | 'restart-broker'
  | 'restart-spanner'
  | 'transactions'
  /** The topic gets one more partition, a few times in a run. */
  | 'grow';

/** Does one fault, and waits until every pipeline has got on with its work. */
export async function doFault(attack: Attack, fault: Fault): Promise<void> {
  const { rig, random, counts } = attack;
  const outageMs = random.between(0, MAX_OUTAGE_MS);
  if (fault === 'kill') await killInSalvos(attack);
  else if (fault === 'zombie') await makeZombie(attack);
  else if (fault === 'move') await movePartitions(attack);
  else if (fault === 'kill-push') await killPush(attack);
  else if (fault === 'transactions') await transact(attack);
  else if (fault === 'grow') await grow(attack);
  else if (fault === 'restart-broker') {
    await rig.cloud.kafka.restart(outageMs);
    counts.brokerRestarts += 1;
  } else {
    await rig.cloud.spanner.restart(outageMs);
    counts.spannerRestarts += 1;
  }
  await waitForProgress(rig);
}

/** Waits until some partition of each pipeline has moved on. */
export async function waitForProgress(rig: SinkRig): Promise<void> {
  const sums = async (): Promise<Map<string, number>> => {
    const byPipeline = new Map<string, number>(topicPipelines.map((pipeline) => [pipeline, 0]));
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

/** Most workers die; then some of those that have come in their place, while they start or take over. */
async function killInSalvos({ crew, random, counts }: Attack): Promise<void> {
  const salvos = random.between(1, MAX_SALVOS + 1);
  for (let salvo = 0; salvo < salvos; salvo++) {
    if (salvo > 0) await delay(random.between(0, MAX_SALVO_PAUSE_MS));
    const size = crew.workers.length;
    const count = random.between(Math.ceil(size / 2), size + 1);
    crew.kill(count);
    counts.kills += count;
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
  if (!attack.push) return;
  attack.push.kill('SIGKILL');
  await attack.push.ended;
  attack.counts.kills += 1;
  attack.push = await attack.rig.startPushSink();
}

async function grow({ load, counts }: Attack): Promise<void> {
  if (counts.partitionsAdded === MAX_ADDED) return;
  await load.grow();
  counts.partitionsAdded += 1;
}

/** One transaction is committed and one aborted; while they are open, readers must wait before them. */
async function transact({ load, random, counts }: Attack): Promise<void> {
  await Promise.all([
    load.transact(TRANSACTED, 'commit', random.between(0, MAX_OPEN_MS)),
    load.transact(TRANSACTED, 'abort', random.between(0, MAX_OPEN_MS)),
  ]);
  counts.transactions += 2;
}
