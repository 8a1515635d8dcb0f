import type { BatchVerdict } from '../../../model/events/records/poison-window.ts';

/** Looks on while a transaction runs. */
export interface CommitWatch {
  /** Sees what is set aside, before the commit; what it throws leaves everything unwritten. Called again at each attempt. */
  readonly admit?: ((verdict: BatchVerdict) => void) | undefined;
  /** Called before the transaction runs again: Spanner aborted it, or gave no answer. */
  readonly onRepeat?: ((why: 'aborted' | 'unavailable') => void) | undefined;
}
