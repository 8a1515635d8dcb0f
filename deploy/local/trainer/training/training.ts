import type { Epoch } from '../epoch.ts';
import type { Progress } from './progress.ts';

/** Trains ended epochs one at a time, in the order in which they ended. */
export interface Training {
  /** Passes over an epoch that has not started. */
  readonly passes: number;
  /** Queues an ended epoch; nothing happens when it was queued before. */
  start(epoch: Epoch): Promise<void>;
  progressOf(epochId: string): Progress | undefined;
  /** Stops at the next step; resolves when the position is saved with its weights. */
  close(): Promise<void>;
}
