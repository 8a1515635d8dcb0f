import { auc } from './auc.ts';

/** A row as the baseline sees it: the id of one tensor, and the label. */
export interface BaselineRows {
  ids: Int32Array;
  labels: Float32Array;
}

/** Rows of the overall rate that are mixed into each id's own: an id seen twice says little. */
const PRIOR_ROWS = 10;

/**
 * Scores held-out rows by the mean label that training rows of the same id have, smoothed to the overall rate.
 *
 * @returns the AUC of that score, the one a model has to beat; undefined when it cannot be told
 */
export function fitBaseline(
  train: Iterable<BaselineRows>,
  heldOut: BaselineRows,
  categories: number,
): number | undefined {
  const counts = new Float64Array(categories);
  const positives = new Float64Array(categories);
  let rowCount = 0;
  let positiveCount = 0;
  for (const { ids, labels } of train) {
    for (const [row, id] of ids.entries()) {
      const label = labels[row] ?? 0;
      counts[id] = (counts[id] ?? 0) + 1;
      positives[id] = (positives[id] ?? 0) + label;
      rowCount += 1;
      positiveCount += label;
    }
  }
  const rate = rowCount === 0 ? 0 : positiveCount / rowCount;
  const scores = Float32Array.from(
    heldOut.ids,
    (id) => ((positives[id] ?? 0) + PRIOR_ROWS * rate) / ((counts[id] ?? 0) + PRIOR_ROWS),
  );
  return auc(scores, heldOut.labels);
}
