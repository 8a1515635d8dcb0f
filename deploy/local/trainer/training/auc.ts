/**
 * The area under the ROC curve: how often a row of label 1 scores above one of label 0, a tie counting half.
 *
 * Exact, by ranks (Mann and Whitney's U).
 *
 * @returns undefined when one of the labels does not occur
 */
export function auc(scores: Float32Array, labels: Float32Array): number | undefined {
  const order = Uint32Array.from(scores.keys()).sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0));
  let positives = 0;
  let rankSum = 0;
  for (let from = 0; from < order.length; ) {
    let to = from;
    let tiedPositives = 0;
    while (to < order.length && scores[order[to] ?? 0] === scores[order[from] ?? 0]) {
      if (labels[order[to] ?? 0] === 1) tiedPositives += 1;
      to += 1;
    }
    // Ranks count from 1; tied rows share the mean of theirs.
    rankSum += tiedPositives * ((from + 1 + to) / 2);
    positives += tiedPositives;
    from = to;
  }
  const pairs = positives * (order.length - positives);
  return pairs === 0 ? undefined : (rankSum - (positives * (positives + 1)) / 2) / pairs;
}
