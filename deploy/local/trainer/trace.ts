import type { StoredBatch } from './epoch.ts';

/** Pieces of the traces that batches came in. */
export interface TrainerTrace {
  /** A batch enters the weights; `end` when it has. */
  step(batch: StoredBatch, of: { epoch: string; pass: number }): { end(): void };
  /** Sends what is left; takes at most a few seconds. */
  close(): Promise<void>;
}
