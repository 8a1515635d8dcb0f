import { type ColumnVector, numberReader } from './column-vector.ts';
import { fingerprint, fingerprintModulo } from './fingerprint.ts';
import { balanceParts, type FittedBalance } from './fitted.ts';
import { labelOf } from './learners.ts';

/**
 * Makes the choice of the training rows that are kept: by a hash, at the rate of the row's class. It depends on the text alone, so a
 * row's fate is the same in whatever shard, block or epoch it is met.
 *
 * @param textAt names a row: its key, and the seed
 */
export function balanceRows(
  { greaterThan, keepBelow }: FittedBalance,
  labels: ColumnVector,
  textAt: (row: number) => string,
): (row: number) => boolean {
  const read = numberReader(labels);
  const belowOf = new Map(keepBelow);
  return (row) => {
    const below = belowOf.get(labelOf(read(row), greaterThan));
    return below === undefined || fingerprintModulo(fingerprint(Buffer.from(textAt(row))), balanceParts) < below;
  };
}
