import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

let attempts = 0;

/** Ends the name of a file that was never finished; whoever opens the folder deletes these. */
export const unfinishedSuffix = '.unfinished';

/**
 * Puts `bytes` at `path` atomically: after a crash the old file is there, or the whole new one, never a part.
 *
 * It is on the disk, with its name, when the promise resolves.
 */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  attempts += 1;
  const unfinished = `${path}.${process.pid}-${attempts}${unfinishedSuffix}`;
  const file = await open(unfinished, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
  await syncFolder(dirname(path));
}

/** A rename reaches the disk only when its folder does. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
