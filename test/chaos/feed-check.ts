import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TrainerProgress } from '../../deploy/cli/demo/observe.ts';
import { epochProgress } from '../../deploy/cli/epoch-progress.ts';
import type { FeedRig } from './feed-rig.ts';
import { countFlights } from './flights-table.ts';
import { type BatchDigests, readQuietly } from './quiet-run.ts';

const POLL_MS = 200;
/** No epoch moves for so long only when none ever will, also on a busy machine. */
const STALL_MS = 180_000;

/** Whether anything gets on, over all epochs: one may wait while the readers are at others. */
export interface Motion {
  moves: number;
  movedAtMs: number;
}

export function openMotion(): Motion {
  return { moves: 0, movedAtMs: performance.now() };
}

/** What was found of one epoch, held against the table and a quiet run. */
export interface EpochCheck {
  readonly rows: number;
  readonly batches: number;
  readonly lost: number;
  readonly doubled: number;
  readonly problems: readonly string[];
}

/** Waits until an epoch is delivered. @throws {Error} when it stands still */
export async function untilDelivered(rig: FeedRig, epoch: string, motion: Motion): Promise<void> {
  await whileMoving(motion, `epoch ${epoch} is not delivered`, async () => {
    const progress = await epochProgress(rig.database, epoch);
    if (progress?.state === 'failed') throw new Error(`Epoch ${epoch} failed: ${progress.error}`);
    return { done: progress?.state === 'delivered', mark: JSON.stringify(progress?.shards) };
  });
}

/** Waits until an epoch is trained, then counts its rows and compares its batches with those of one reader whom nobody disturbs. */
export async function checkEpoch(
  rig: FeedRig,
  { epoch, readTimestamp }: { readonly epoch: string; readonly readTimestamp: string },
  motion: Motion,
): Promise<EpochCheck> {
  const trained = await untilTrained(rig, epoch, motion);
  const rows = await countFlights(rig.database, readTimestamp);
  const quiet = await readQuietly(rig, epoch);
  const problems = [
    ...rowProblems(epoch, { rows, trained, quietRows: quiet.rows }),
    ...batchProblems(epoch, quiet.digests, digestsOnDisk(rig.trainerDir, epoch)),
  ];
  const lost = Math.max(0, rows - trained.rowsSeenOnce);
  return { rows, batches: quiet.digests.size, lost, doubled: Math.max(0, trained.rows - rows), problems };
}

/** Takes a checked epoch off the trainer's disk: one that starts again reads back everything that lies there. */
export function forgetEpoch(rig: FeedRig, epoch: string): void {
  rmSync(join(rig.trainerDir, 'epochs', encodeURIComponent(epoch)), { recursive: true, force: true });
}

async function untilTrained(rig: FeedRig, epoch: string, motion: Motion): Promise<TrainerProgress> {
  let progress: TrainerProgress | undefined;
  await whileMoving(motion, `epoch ${epoch} is not trained`, async () => {
    // A trainer that was just killed says nothing: as it stood before, then.
    progress = (await rig.trainerProgress(epoch).catch(() => undefined)) ?? progress;
    if (progress?.state === 'failed') throw new Error(`Training of ${epoch} failed: ${progress.error}`);
    return { done: progress?.state === 'trained', mark: JSON.stringify(progress?.position) };
  });
  if (!progress) throw new Error(`The trainer says nothing of ${epoch}`);
  return progress;
}

async function whileMoving(
  motion: Motion,
  what: string,
  look: () => Promise<{ readonly done: boolean; readonly mark: string | undefined }>,
): Promise<void> {
  let last: string | undefined;
  for (;;) {
    const { done, mark } = await look();
    if (done) return;
    if (mark !== last) {
      motion.moves += 1;
      motion.movedAtMs = performance.now();
    }
    last = mark;
    if (performance.now() - motion.movedAtMs > STALL_MS)
      throw new Error(`Nothing moved in ${STALL_MS} ms, and ${what}: ${mark}`);
    await delay(POLL_MS);
  }
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
