import { type Epoch, nextSequence } from './epoch.ts';
import type { Progress } from './training/progress.ts';

/** What `GET /v1/epochs/{epoch}` answers: what has been taken, what is needed next, and how the training goes. */
export function describeEpoch(epoch: Epoch, progress: Progress | undefined, passes: number): object {
  const { feed, readTimestamp, planDigest } = epoch.announcement;
  const shards = epoch.shards.map((shard, number) => ({
    shard: number,
    taken: shard.batches.size,
    next: nextSequence(shard),
    rows: shard.rowCount,
    ended: shard.end !== undefined,
  }));
  return {
    epoch: epoch.id,
    feed,
    readTimestamp,
    planDigest,
    state: progress?.state ?? 'receiving',
    ...(progress?.error === undefined ? {} : { error: progress.error }),
    shards,
    batches: shards.reduce((sum, { taken }) => sum + taken, 0),
    rows: shards.reduce((sum, { rows }) => sum + rows, 0),
    position: progress?.position ?? { pass: 0, batch: 0 },
    passes: progress?.passes ?? passes,
    steps: progress?.steps ?? 0,
    rowsSeenOnce: progress?.rowsSeenOnce ?? 0,
    training: describeTraining(progress),
    waitShare: progress?.waitShare ?? 0,
  };
}

/** Figures that are not known yet are null. */
function describeTraining(progress: Progress | undefined): object {
  return {
    steps: progress?.steps ?? 0,
    firstLoss: progress?.firstLoss ?? null,
    lastLoss: progress?.lastLoss ?? null,
    losses: progress?.losses ?? [],
    evaluations: progress?.evaluations ?? [],
    auc: progress?.evaluations.at(-1)?.auc ?? null,
    baselineAuc: progress?.baselineAuc ?? null,
  };
}
