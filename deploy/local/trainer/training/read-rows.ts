import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { StoredBatch } from '../epoch.ts';
import { readTensors } from '../read-tensors.ts';
import { decodeRows, type Layout, type Rows } from './rows.ts';

/**
 * Reads a batch back from the disk.
 *
 * @throws {Error} when its bytes are no longer those that were accepted
 */
export async function readRows({ path, digest, rowCount }: StoredBatch, layout: Layout): Promise<Rows> {
  const body = await readFile(path);
  if (createHash('sha256').update(body).digest('hex') !== digest) {
    throw new Error(`${path} is not what was accepted: restart the trainer, it drops the batch and asks for it again`);
  }
  return decodeRows(readTensors(body).tensors, layout, rowCount);
}

/** Yields batches in this order, always reading the next while one is in use; `waited` is told how long each was waited for. */
export async function* readAhead(
  batches: readonly StoredBatch[],
  layout: Layout,
  { now, waited }: { now: () => number; waited: (ms: number) => void },
): AsyncGenerator<{ batch: StoredBatch; rows: Rows }> {
  let reading: Promise<Rows> | undefined;
  try {
    for (const [index, batch] of batches.entries()) {
      const from = now();
      const rows = await (reading ?? readRows(batch, layout));
      waited(now() - from);
      const next = batches[index + 1];
      reading = next === undefined ? undefined : readRows(next, layout);
      // Whoever consumes may stop here: a failure of the read ahead is then nobody's.
      reading?.catch(() => {});
      yield { batch, rows };
    }
  } finally {
    await reading?.catch(() => {});
  }
}
