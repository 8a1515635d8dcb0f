/** What a stream of numbers is summed up in. */
export interface Moments {
  readonly count: number;
  readonly mean: number;
  /** Sum of squared distances from the mean. */
  readonly squares: number;
  /** 0 when there are no values. */
  readonly min: number;
  /** 0 when there are no values. */
  readonly max: number;
}

export const emptyMoments: Moments = { count: 0, mean: 0, squares: 0, min: 0, max: 0 };

/**
 * Takes further values, without the cancellation of a sum of squares: two passes over the values, then Chan, Golub and
 * LeVeque's pairwise merge (1979).
 */
export function addMoments(moments: Moments, values: Float64Array): Moments {
  if (values.length === 0) return moments;
  return mergeMoments(moments, momentsOf(values));
}

function momentsOf(values: Float64Array): Moments {
  let sum = 0;
  let min = values[0] ?? 0;
  let max = min;
  for (const value of values) {
    sum += value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { count: values.length, mean, squares, min, max };
}

function mergeMoments(left: Moments, right: Moments): Moments {
  if (left.count === 0) return right;
  const count = left.count + right.count;
  const distance = right.mean - left.mean;
  return {
    count,
    mean: left.mean + (distance * right.count) / count,
    squares: left.squares + right.squares + (distance ** 2 * left.count * right.count) / count,
    min: Math.min(left.min, right.min),
    max: Math.max(left.max, right.max),
  };
}
