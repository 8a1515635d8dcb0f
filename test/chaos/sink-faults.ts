import { setTimeout as delay } from 'node:timers/promises';
import type { RunningFunction } from '../../deploy/local/functions/run-function.ts';
import { topicPipelines } from './history.ts';
import type { Load } from './load.ts';
import { type KillMoment, momentOf } from './moment-of.ts';
import type { Random } from './random.ts';
import { readCheckpoints } from './read-history.ts';
import type { SinkRig } from './sink-rig.ts';
import type { Entrance } from './spanner-door.ts';
import { waitWhileMoving } from './wait-until.ts';
import type { CrewMember, WorkerCrew } from './worker-crew.ts';

/** How long beyond its session a stopped worker sleeps. */
const OVERSLEEP_MS = 500;
const MAX_OUTAGE_MS = 1_500;
const MAX_OPEN_MS = 1_500;
const TRANSACTED = 20;
const MOMENTS: readonly [KillMoment, ...KillMoment[]] = ['sent', 'sent', 'answered', 'any'];
/** Of the workers that must have partitions before the next ones die; more than there are partitions never will. */
const WORKING_SHARE = 0.6;
/** Of the salvos in which one dies before it has done anything. */
const BEGINNER_SHARE = 0.3;
const MAX_ADDED = 3;
const MAX_SALVO_PAUSE_MS = 800;

/** What has been done to the sinks. */
export interface FaultCounts {
  /** SIGKILLs of sinks that were at work: kafka-sink with partitions, pubsub-sink under load. */
  kills: number;
  /** Of them, those between a commit's request and its effect, or just behind its answer. */
  killsInCommit: number;
  /** SIGKILLs of workers that had no partition yet. */
  killsAtStart: number;
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
  push: { readonly entrance: Entrance; readonly sink: RunningFunction } | undefined;
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
  const { rig, random, counts, crew } = attack;
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
  const isMoving = waitForProgress(attack);
  if (fault === 'kill') await crew.waitForWorking(Math.ceil(crew.members.length * WORKING_SHARE));
  await isMoving;
}

/** Waits until some partition of each pipeline has moved on. */
export async function waitForProgress({ rig, load }: Pick<Attack, 'rig' | 'load'>): Promise<void> {
  const before = await passedByPipeline(rig);
  await waitWhileMoving('every pipeline moves on after a fault', async () => {
    const now = await passedByPipeline(rig);
    load.setPassed(Math.min(...now.values()));
    const isDone = [...now].every(([pipeline, sum]) => sum > (before.get(pipeline) ?? 0));
    return { isDone, state: [...now].map(([pipeline, sum]) => `${pipeline} ${sum}`).join(', ') };
  });
}

/** How many offsets lie below the checkpoints of each pipeline. */
async function passedByPipeline(rig: SinkRig): Promise<ReadonlyMap<string, number>> {
  const sums = new Map<string, number>(topicPipelines.map((pipeline) => [pipeline, 0]));
  for (const [at, { nextOffset }] of await readCheckpoints(rig.database)) {
    const pipeline = at.slice(0, at.indexOf('/'));
    sums.set(pipeline, (sums.get(pipeline) ?? 0) + nextOffset);
  }
  return sums;
}

/**
 * Workers that have partitions die, most of them in the middle of a commit; then those that were left, while the group shares out
 * anew what the first ones had. Now and then one that has just been started dies before it has done anything.
 */
async function killInSalvos(attack: Attack): Promise<void> {
  const { crew, random, counts } = attack;
  const victims = random.shuffle(crew.working());
  const first = random.between(Math.ceil(victims.length / 2), victims.length + 1);
  await killAll(attack, victims.slice(0, first));
  await delay(random.between(0, MAX_SALVO_PAUSE_MS));
  if (random.next() < BEGINNER_SHARE) {
    const beginner = crew.members.find(({ isWorking }) => !isWorking);
    if (beginner) {
      counts.killsAtStart += 1;
      await crew.kill(beginner, 'any');
    }
  }
  await killAll(attack, victims.slice(first));
}

async function killAll({ crew, random, counts }: Attack, victims: readonly CrewMember[]): Promise<void> {
  const kill = async (victim: CrewMember): Promise<void> => {
    const moment = await crew.kill(victim, random.pick(MOMENTS));
    if (moment === undefined) return;
    counts.kills += 1;
    if (moment !== 'any') counts.killsInCommit += 1;
  };
  await Promise.all(victims.map(kill));
}

/** A worker sleeps past its session, and wakes when its partitions have other owners. */
async function makeZombie(attack: Attack): Promise<void> {
  const { rig, crew, random, counts } = attack;
  await crew.waitForWorking(1);
  const [sleeper] = random.shuffle(crew.working()).map(({ worker }) => worker);
  if (!sleeper) return;
  sleeper.kill('SIGSTOP');
  counts.zombies += 1;
  await delay(rig.sessionMs + OVERSLEEP_MS);
  await waitForProgress(attack);
  sleeper.kill('SIGCONT');
}

/** One more worker comes, and another one goes: partitions move twice. */
async function movePartitions(attack: Attack): Promise<void> {
  const { crew, counts } = attack;
  await crew.join();
  await waitForProgress(attack);
  await crew.leave();
  counts.moves += 1;
}

async function killPush(attack: Attack): Promise<void> {
  const { push, rig, random, counts } = attack;
  if (!push) return;
  const moment = await momentOf(push.entrance, random.pick(MOMENTS), { random });
  push.sink.kill('SIGKILL');
  await push.sink.ended;
  counts.kills += 1;
  if (moment !== 'any') counts.killsInCommit += 1;
  attack.push = { ...push, sink: await rig.startPushSink(push.entrance) };
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
