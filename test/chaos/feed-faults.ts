import { setTimeout as delay } from 'node:timers/promises';
import type { RunningFunction } from '../../deploy/local/functions/run-function.ts';
import type { Motion } from './feed-check.ts';
import type { FeedRig } from './feed-rig.ts';
import { peakRssMb } from './peak-rss.ts';
import { type Random, seededRandom } from './random.ts';

const OVERSLEEP_MS = 500;
const MAX_MESSAGES_AGAIN = 4;
/** Readers that are left alone, so that there is always one that goes on. */
const SPARED_READERS = 2;

/** What was done to a feed, counted when it was done to a process that was at work. */
export interface FaultCounts {
  /** Of readers that held a shard, trainers that took or trained on batches, and planners that planned. */
  readonly kills: { reader: number; trainer: number; planner: number };
  /** Readers that slept past their lease while another took the shard. */
  lostLeases: number;
  /** Shard messages that came once more. */
  deliveredAgain: number;
  peakRssMb: number;
}

/** What is attacked, and until when. */
export interface Attack {
  readonly rig: FeedRig;
  readonly counts: FaultCounts;
  readonly seed: number;
  readonly motion: Motion;
  /** Nothing is done any more then. */
  readonly isOver: () => boolean;
  /** Ends waiting, when the run has failed. */
  readonly signal: AbortSignal;
}

export function killsOf({ kills }: FaultCounts): number {
  return kills.reader + kills.trainer + kills.planner;
}

/** Does everything at once, each fault at moments of its own, until it is over. */
export async function attackAtRandom(attack: Attack): Promise<void> {
  // Something must have got on since the last one died: who is killed too soon was not at work yet, and nothing ever gets on.
  const whenMoved = (kill: (random: Random) => Promise<boolean>) => {
    let movesBefore = -1;
    return async (random: Random): Promise<void> => {
      if (attack.motion.moves === movesBefore) return;
      if (await kill(random)) movesBefore = attack.motion.moves;
    };
  };
  const loops = [
    repeat(
      attack,
      1,
      [100, 500],
      whenMoved((random) => killReader(attack, random)),
    ),
    repeat(
      attack,
      2,
      [500, 3_000],
      whenMoved(() => killTrainer(attack)),
    ),
    repeat(attack, 3, [500, 2_000], (random) => deliverAgain(attack, random)),
    repeat(attack, 4, [1_000, 4_000], () => loseLease(attack)),
  ];
  await Promise.all(loops);
}

async function repeat(
  { seed, signal, isOver }: Attack,
  place: number,
  [fromMs, toMs]: readonly [number, number],
  act: (random: Random) => Promise<void>,
): Promise<void> {
  const random = seededRandom(seed * 10 + place);
  while (!isOver() && !signal.aborted) {
    await delay(random.between(fromMs, toMs), undefined, { signal }).catch(() => {});
    if (!isOver() && !signal.aborted) await act(random);
  }
}

/** Kills one that holds a shard at this moment, and starts another in its place. */
async function killReader({ rig, counts }: Attack, random: Random): Promise<boolean> {
  if (rig.readers.length <= SPARED_READERS) return false;
  const [reader] = random.shuffle((await busyReaders(rig)).filter((one) => !rig.frozen.has(one)));
  if (reader === undefined) return false;
  counts.peakRssMb = Math.max(counts.peakRssMb, peakRssMb(reader.pid));
  const isKilled = await rig.killReader(reader);
  if (isKilled) counts.kills.reader += 1;
  return isKilled;
}

/** Readers that hold shards. */
async function busyReaders(rig: FeedRig): Promise<RunningFunction[]> {
  const owners = await rig.shardOwners();
  return owners.flatMap(({ pid }) => rig.readers.filter((reader) => reader.pid === pid));
}

async function killTrainer({ rig, counts }: Attack): Promise<boolean> {
  const isAtWork = (await busyReaders(rig)).length > 0 || (await rig.isTraining());
  if (!isAtWork) return false;
  counts.kills.trainer += 1;
  await rig.killTrainer();
  return true;
}

/** Sends messages of some open shards again, in another order. */
async function deliverAgain({ rig, counts }: Attack, random: Random): Promise<void> {
  const open = random.shuffle(await rig.openShards()).slice(0, MAX_MESSAGES_AGAIN);
  counts.deliveredAgain += open.length;
  await Promise.all(open.map(({ epoch, shard }) => rig.deliverAgain(epoch, shard)));
}

/** Stops a reader until another has its shard, and lets it go on: two are at one shard then, and one must find out. */
async function loseLease({ rig, counts, signal, isOver }: Attack): Promise<void> {
  const [owner] = (await rig.shardOwners()).toReversed();
  const reader = rig.readers.find(({ pid }) => pid === owner?.pid);
  if (owner === undefined || reader === undefined) return;
  rig.freeze(reader);
  try {
    await delay(rig.leaseMs, undefined, { signal });
    for (let ownerPid = owner.pid; ownerPid === owner.pid && !isOver(); ) {
      await rig.deliverAgain(owner.epoch, owner.shard);
      await delay(OVERSLEEP_MS, undefined, { signal });
      const now = (await rig.shardOwners()).find(({ epoch, shard }) => epoch === owner.epoch && shard === owner.shard);
      // It is nobody's when it was given up; then there are no two at it.
      ownerPid = now?.pid ?? -1;
      if (ownerPid > 0 && ownerPid !== owner.pid) counts.lostLeases += 1;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    rig.thaw(reader);
  }
}

/** Plans an epoch; the planner is killed while it is at it, some times, and asked again for the same tick. */
export async function planUnderAttack(
  attack: Attack,
  tick: string,
  random: Random,
): Promise<{ readonly epoch: string; readonly readTimestamp: string }> {
  const { rig, counts, isOver } = attack;
  for (let kills = random.between(1, 4); kills > 0 && !isOver(); kills -= 1) {
    let isAnswered = false;
    const planned = rig.plan(tick).then(
      () => {
        isAnswered = true;
      },
      () => {},
    );
    await Promise.race([delay(random.between(5, 400)), planned]);
    // What was answered before is no kill of a planner that plans.
    if (isAnswered) break;
    counts.kills.planner += 1;
    await rig.killPlanner();
    await planned;
  }
  return await rig.plan(tick);
}
