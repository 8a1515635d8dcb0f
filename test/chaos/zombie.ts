import { isCaughtUp } from './caught-up.ts';
import { checkSinks } from './check-sinks.ts';
import type { Damage } from './history-checker.ts';
import { openLoad } from './load.ts';
import { seededRandom } from './random.ts';
import { readCheckpoints } from './read-history.ts';
import { openSinkRig, type SinkRig } from './sink-rig.ts';
import { becomesTrue, waitUntil } from './wait-until.ts';

const SEED = 11;
const FIRST_ROWS = 50;
const HEIR_ROWS = 10;
const BURST = 800;
const ATTEMPTS = 5;
/** A zombie that has not tried by then has dropped its batch. */
const ZOMBIE_MS = 20_000;
/** As many commits are aborted as leaves time to stop a worker between two. */
const SLOW = 0.8;

/** What a zombie left behind. */
export interface ZombieOutcome {
  readonly damages: readonly Damage[];
  /** Times that the zombie woke with a batch in hand that its heir had begun to write. */
  readonly awakenings: number;
}

/**
 * A worker is stopped while it tries to commit; its partitions move to an heir, which writes a part of the same records;
 * then the worker goes on where it stood.
 *
 * The heir is stopped too while the zombie writes, so that nothing but the guards keeps it from doing so. Whether the zombie
 * gets as far as its commit before it learns that the group has moved on is a matter of timing: it is woken again, up to
 * five times, until `isEnough`.
 */
export async function wakeZombie(dist: string, isEnough: (outcome: ZombieOutcome) => boolean): Promise<ZombieOutcome> {
  const rig = await openSinkRig({ dist, partitions: 2, random: seededRandom(SEED) });
  const load = await openLoad(rig, seededRandom(SEED));
  let outcome: ZombieOutcome = { damages: [], awakenings: 0 };
  try {
    for (let attempt = 1; attempt <= ATTEMPTS && !isEnough(outcome); attempt++) {
      const woke = await wakeOnce(rig, load);
      const { damages } = await checkSinks(rig, load);
      outcome = { damages, awakenings: outcome.awakenings + Number(woke) };
    }
    return outcome;
  } finally {
    await load.close();
    await rig.close();
  }
}

/** @returns whether the zombie woke with a batch in hand that its heir had begun to write */
async function wakeOnce(rig: SinkRig, load: Awaited<ReturnType<typeof openLoad>>): Promise<boolean> {
  const owner = startWorker(rig, FIRST_ROWS);
  const workers = [owner];
  let woke = false;
  if (await stopWithBatchInHand(rig, load, owner.sink.kill)) {
    const heir = startWorker(rig, HEIR_ROWS);
    workers.push(heir);
    woke = await stopHalfway(rig, heir.sink.kill);
    if (woke) {
      const seen = owner.lines.length;
      rig.cloud.spanner.setAbortRate(0, SEED);
      owner.sink.kill('SIGCONT');
      const tried = (): boolean => owner.lines.slice(seen).some((line) => /overtaken|"Committed"/.test(line));
      await becomesTrue(async () => tried(), ZOMBIE_MS);
    }
    heir.sink.kill('SIGCONT');
  }
  rig.cloud.spanner.setAbortRate(0, SEED);
  owner.sink.kill('SIGCONT');
  await waitUntil('every record has been passed', () => isCaughtUp(rig, load));
  await Promise.all(workers.map(({ sink }) => sink.stop()));
  return woke;
}

function startWorker(rig: SinkRig, maxRows: number) {
  const lines: string[] = [];
  return { lines, sink: rig.startSink({ maxRows, onLine: (line) => lines.push(line) }) };
}

type Kill = (signal: NodeJS.Signals) => void;
type Places = Awaited<ReturnType<typeof readCheckpoints>>;

/** Stops the only worker when it has committed a part of what it fetched, and is trying to commit more. */
async function stopWithBatchInHand(rig: SinkRig, load: Awaited<ReturnType<typeof openLoad>>, kill: Kill) {
  await load.send(BURST / 4);
  await waitUntil('the worker has caught up', () => isCaughtUp(rig, load));
  const before = await readCheckpoints(rig.database);
  rig.cloud.spanner.setAbortRate(SLOW, SEED);
  await load.send(BURST);
  const moved = (): Promise<boolean> =>
    readCheckpoints(rig.database).then((now) => [...now].some(([at, one]) => one.nextOffset > nextOffset(before, at)));
  await waitUntil('the worker has begun to commit the burst', moved);
  const at = await freeze(rig);
  kill('SIGSTOP');
  return [...at.values()].some((one) => one.nextOffset > 0) && !(await isCaughtUp(rig, load));
}

/** Stops the heir when it has written the beginning of a batch that the zombie has in hand. */
async function stopHalfway(rig: SinkRig, kill: Kill): Promise<boolean> {
  const before = await readCheckpoints(rig.database);
  rig.cloud.spanner.setAbortRate(SLOW, SEED);
  const isHalfway = (now: Places): boolean =>
    [...now].some(([at, { fence, nextOffset: next }]) => {
      const old = before.get(at);
      return old && fence > old.fence && next > old.nextOffset && next < old.nextOffset + FIRST_ROWS;
    });
  const reached = await becomesTrue(async () => isHalfway(await readCheckpoints(rig.database)), 20_000);
  const now = await freeze(rig);
  kill('SIGSTOP');
  return reached && isHalfway(now);
}

/** Aborts every commit from now on, and waits until nothing moves. */
async function freeze(rig: SinkRig): Promise<Places> {
  rig.cloud.spanner.setAbortRate(1, SEED);
  let last = await readCheckpoints(rig.database);
  let same = 0;
  await waitUntil('nothing is committed', async () => {
    const now = await readCheckpoints(rig.database);
    same = JSON.stringify([...now]) === JSON.stringify([...last]) ? same + 1 : 0;
    last = now;
    return same >= 5;
  });
  return last;
}

function nextOffset(places: Places, at: string): number {
  return places.get(at)?.nextOffset ?? 0;
}
