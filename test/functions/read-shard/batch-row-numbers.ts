import assert from 'node:assert/strict';
import { readSafetensors } from '../../../deploy/local/trainer/safetensors.ts';

/** The rows in batches, by the int32 tensor `row` that holds their numbers, sorted. */
export function batchRowNumbers(batches: Iterable<Buffer>): number[] {
  return [...batches]
    .flatMap((body) => {
      const tensor = readSafetensors(body).tensors.get('row');
      assert.ok(tensor);
      const view = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.length);
      return Array.from({ length: tensor.shape[0] ?? 0 }, (_, row) => view.getInt32(row * 4, true));
    })
    .toSorted((left, right) => left - right);
}
