import type { Epoch } from '../epoch.ts';
import type { Progress } from './progress.ts';
import type { Training } from './training.ts';

export interface TrainingOptions {
  /** Passes over each epoch; 6 when left out. */
  passes?: number;
}

/** Opens the training and takes up the epochs that had ended. */
export async function openTraining(epochs: Iterable<Epoch>, { passes = 6 }: TrainingOptions): Promise<Training> {
  const started = new Map<string, Progress>();
  const training: Training = {
    passes,
    start({ id }) {
      if (started.has(id)) return;
      started.set(id, {
        state: 'training',
        position: { pass: 0, batch: 0 },
        steps: 0,
        rowsSeenOnce: 0,
        firstLoss: undefined,
        lastLoss: undefined,
        losses: [],
        evaluations: [],
        baselineAuc: undefined,
        waitShare: 0,
      });
    },
    progressOf: (id) => started.get(id),
    async close() {},
  };
  for (const epoch of epochs) if (epoch.endOrder !== undefined) training.start(epoch);
  return training;
}
