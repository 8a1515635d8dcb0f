import type { Epoch } from '../epoch.ts';
import type { TrainerTrace } from '../trace.ts';
import { EpochTraining } from './epoch-training.ts';
import type { Progress } from './progress.ts';
import type { Training } from './training.ts';

export interface TrainingOptions {
  /** Passes over each epoch; 6 when left out. */
  passes?: number;
  /** In place of the announced seed. */
  seed?: string;
  /** Longest time between two checkpoints within a pass; 1,000 ms when left out. */
  saveEveryMs?: number;
  trace?: TrainerTrace | undefined;
}

/**
 * Opens the training and takes up, in the order in which they ended, the epochs whose training is not complete.
 *
 * @param now milliseconds of a clock that never goes back
 */
export async function openTraining(
  epochs: Iterable<Epoch>,
  { passes = 6, seed, saveEveryMs = 1_000, trace }: TrainingOptions,
  now: () => number,
): Promise<Training> {
  if (!Number.isInteger(passes) || passes < 1)
    throw new RangeError(`passes must be a whole number from 1, not ${passes}`);
  const trainings = new Map<string, EpochTraining>();
  const stop = new AbortController();
  let queue = Promise.resolve();
  const open = (epoch: Epoch) => EpochTraining.open(epoch, { passes, seed, saveEveryMs, now, trace });
  const enqueue = (id: string, training: EpochTraining) => {
    trainings.set(id, training);
    queue = queue.then(() => training.run(stop.signal));
  };
  const ended = [...epochs].filter(({ endOrder }) => endOrder !== undefined);
  ended.sort((a, b) => (a.endOrder ?? 0) - (b.endOrder ?? 0));
  for (const epoch of ended) enqueue(epoch.id, await open(epoch));
  const opening = new Map<string, Promise<void>>();
  return {
    passes,
    async start(epoch) {
      if (trainings.has(epoch.id)) return;
      const started = opening.get(epoch.id) ?? open(epoch).then((training) => enqueue(epoch.id, training));
      opening.set(epoch.id, started);
      await started.finally(() => opening.delete(epoch.id));
    },
    progressOf: (id): Progress | undefined => trainings.get(id)?.progress,
    async close() {
      stop.abort();
      await Promise.allSettled(opening.values());
      await queue;
    },
  };
}
