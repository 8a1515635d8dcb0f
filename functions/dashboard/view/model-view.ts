import type { TrainerProgress } from '../sources/trainer-progress.ts';
import type { Health, ModelView } from './view-model.ts';
import { showHidden } from './words.ts';

const healthOf: Readonly<Record<string, Health>> = { receiving: 'ok', training: 'ok', trained: 'ok', failed: 'bad' };

/** What the trainer says of an epoch; a trainer that says nothing is shown as such. */
export function viewModel(
  epochId: string,
  progress: TrainerProgress | undefined,
  stepsPerSecond: number | undefined,
): ModelView {
  return {
    reachable: progress !== undefined,
    epoch: epochId,
    state: progress?.state ?? 'unknown',
    health: progress ? (healthOf[progress.state] ?? 'unknown') : 'unknown',
    error: progress?.error === undefined ? null : showHidden(progress.error),
    pass: progress?.pass ?? 0,
    batch: progress?.batch ?? 0,
    passes: progress?.passes ?? 0,
    batches: progress?.batches ?? 0,
    rows: progress?.rows ?? 0,
    rowsSeenOnce: progress?.rowsSeenOnce ?? 0,
    steps: progress?.steps ?? 0,
    stepsPerSecond: progress?.state === 'training' ? (stepsPerSecond ?? null) : null,
    firstLoss: progress?.firstLoss ?? null,
    lastLoss: progress?.lastLoss ?? null,
    losses: progress?.losses ?? [],
    evaluations: progress?.evaluations ?? [],
    auc: progress?.auc ?? null,
    baselineAuc: progress?.baselineAuc ?? null,
    waitShare: progress?.waitShare ?? null,
  };
}
