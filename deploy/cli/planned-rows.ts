import type { Manifest } from '../../shared/model/epochs/manifest.ts';
import { count } from './screen.ts';

/** How many rows an epoch was planned to have: `1,500`, or `about 1,500` where they were not counted. */
export function plannedRows({ rowCount, rowCountIsEstimate }: Manifest): string {
  return `${rowCountIsEstimate ? 'about ' : ''}${count(rowCount)}`;
}
