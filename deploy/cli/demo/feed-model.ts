import { setTimeout as delay } from 'node:timers/promises';
import { type EpochProgress, epochProgress } from '../epoch-progress.ts';
import { bar, count, type Screen, sparkline } from '../screen.ts';
import { identities } from '../stack/identities.ts';
import type { Stack } from '../stack/stack.ts';
import { epochIds, type TrainerProgress, trainerProgress } from './observe.ts';

const POLL_MS = 200;
/** Planning shows nothing until it is done: over a minute for three million rows on a busy machine. */
const STALL_MS = 600_000;
const SHOWN_SHARDS = 16;
const CURVE_CELLS = 48;

/** An epoch that has gone through training, as Spanner and the trainer tell it. */
export interface Fed {
  readonly epoch: {
    readonly id: string;
    readonly readTimestamp: string;
    readonly shards: number;
    readonly batches: number;
    readonly rows: number;
    readonly rowsSeenOnce: number;
  };
  readonly training: {
    readonly steps: number;
    readonly firstLoss: number;
    readonly lastLoss: number;
    readonly auc: number;
    readonly baselineAuc: number;
  };
  readonly seconds: number;
}

/** Triggers the feed's scheduled job and follows its epoch until the model is trained. */
export async function feedModel(stack: Stack, feed: string, screen: Screen): Promise<Fed> {
  const startedAt = performance.now();
  const before = new Set(await epochIds(stack.database, feed));
  await stack.cloud.scheduler.run(`plan-${feed}`);
  const id = await follow(async () => (await epochIds(stack.database, feed)).find((one) => !before.has(one)), String);

  let epoch: EpochProgress | undefined;
  screen.live(() => epochFrame(epoch));
  epoch = await follow(
    async () => {
      epoch = await epochProgress(stack.database, id);
      if (epoch?.state === 'failed') throw new Error(`Epoch ${id} failed: ${epoch.error}`);
      return epoch?.state === 'delivered' ? epoch : undefined;
    },
    () => JSON.stringify(epoch),
  );
  screen.settle();

  let progress: TrainerProgress | undefined;
  screen.live(() => trainingFrame(progress));
  const trained = await follow(
    async () => {
      progress = await askTrainer(stack, id);
      if (progress?.state === 'failed') throw new Error(`Training failed: ${progress.error}`);
      return progress?.state === 'trained' ? progress : undefined;
    },
    () => JSON.stringify(progress?.position),
  );
  screen.settle();
  return describe(epoch, trained, (performance.now() - startedAt) / 1000);
}

async function askTrainer(stack: Stack, epoch: string): Promise<TrainerProgress | undefined> {
  const { url } = stack.trainer;
  const token = await stack.cloud.identity.mintIdToken(identities.dashboard, url);
  return trainerProgress(url, epoch, `Bearer ${token}`);
}

/** Polls until there is an answer; fails when `mark` has not changed for ten minutes. */
async function follow<T>(poll: () => Promise<T | undefined>, mark: () => string): Promise<T> {
  let last = '';
  let movedAt = performance.now();
  for (;;) {
    const found = await poll();
    if (found !== undefined) return found;
    if (mark() !== last) movedAt = performance.now();
    last = mark();
    if (performance.now() - movedAt > STALL_MS) throw new Error(`Nothing has moved for ${STALL_MS / 1000} s: ${last}`);
    await delay(POLL_MS);
  }
}

function describe(epoch: EpochProgress, trained: TrainerProgress, seconds: number): Fed {
  const { firstLoss, lastLoss, auc, baselineAuc } = trained.training;
  return {
    epoch: {
      id: epoch.id,
      readTimestamp: epoch.readTimestamp,
      shards: epoch.shards.length,
      batches: trained.batches,
      rows: trained.rows,
      rowsSeenOnce: trained.rowsSeenOnce,
    },
    training: {
      steps: trained.steps,
      firstLoss: firstLoss ?? Number.NaN,
      lastLoss: lastLoss ?? Number.NaN,
      auc: auc ?? Number.NaN,
      baselineAuc: baselineAuc ?? Number.NaN,
    },
    seconds: Number(seconds.toFixed(1)),
  };
}

function epochFrame(epoch: EpochProgress | undefined): { lines: string[]; plain: string } {
  if (!epoch) return { lines: ['', 'Planning an epoch…'], plain: 'epoch: planning' };
  const { shards } = epoch;
  const done = shards.filter(({ state }) => state === 'done').length;
  const rows = shards.reduce((sum, shard) => sum + shard.rows, 0);
  const most = Math.max(1, ...shards.map((shard) => shard.rows));
  const lines = shards.slice(0, SHOWN_SHARDS).map(({ shard, state, rows: read }) => {
    const total = state === 'done' ? read : most;
    return `  shard ${String(shard).padStart(3)} ${bar(read, total)} ${count(read).padStart(9)} rows  ${state}`;
  });
  if (shards.length > SHOWN_SHARDS) lines.push(`  and ${shards.length - SHOWN_SHARDS} more`);
  return {
    lines: ['', `Epoch ${epoch.id}, read at ${epoch.readTimestamp}`, ...lines],
    plain: `epoch: ${done} of ${shards.length} shards delivered, ${count(rows)} rows`,
  };
}

function trainingFrame(progress: TrainerProgress | undefined): { lines: string[]; plain: string } {
  if (!progress) return { lines: ['', 'Waiting for the trainer…'], plain: 'training: waiting' };
  const { training, position, passes, steps } = progress;
  const losses = training.losses.map(({ loss }) => loss);
  const loss = training.lastLoss === null ? '' : `loss ${training.lastLoss.toFixed(3)}`;
  const auc = training.auc === null ? '' : `held-out AUC ${training.auc.toFixed(3)}`;
  const where = `pass ${Math.min(position.pass + 1, passes)} of ${passes}, step ${count(steps)}`;
  return {
    lines: ['', `Training: ${where}  ${loss}  ${auc}`, `  ${losses.length > 1 ? sparkline(losses, CURVE_CELLS) : ''}`],
    plain: `training: ${where} ${loss} ${auc}`.trimEnd(),
  };
}
