/** How far the training of one epoch is, and how well it goes. */
export interface Progress {
  state: 'training' | 'trained' | 'failed';
  /** Why it failed. */
  error?: string;
  /** Passes in all; fixed when the training starts. */
  passes: number;
  /** Passes that are complete, and batches of the pass in hand that are in the weights. */
  position: { pass: number; batch: number };
  steps: number;
  /** Rows of the batches that entered every pass exactly once, over both roles, counted from the ledger. */
  rowsSeenOnce: number;
  /** Mean cross-entropy of the first step, and over the last steps. */
  firstLoss: number | undefined;
  lastLoss: number | undefined;
  /** The curve, thinned to at most 500 points: each the mean since the point before. */
  losses: readonly { step: number; loss: number }[];
  /** On the held-out rows, after each pass; pass counts from 1. The AUC is null when they have one label only. */
  evaluations: readonly { pass: number; step: number; loss: number; auc: number | null }[];
  baselineAuc: number | undefined;
  /** Share of the training's time in which it waited for batches. */
  waitShare: number;
}
