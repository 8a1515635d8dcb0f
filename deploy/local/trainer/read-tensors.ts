import { isArrow, readArrow } from './read-arrow.ts';
import { readSafetensors, type Safetensors } from './safetensors.ts';

/**
 * Reads a batch's body of either format: they tell themselves apart by their first bytes.
 *
 * @throws {SafetensorsError}
 * @throws {ArrowError}
 */
export function readTensors(body: Uint8Array): Safetensors {
  return isArrow(body) ? readArrow(body) : readSafetensors(body);
}
