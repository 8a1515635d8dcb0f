import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { type FileStore, FilesDifferError, type StoredFile } from './file-store.ts';

/** Names that begin so are not whole. */
const UNFINISHED = '.unfinished-';

/** Keeps files in a folder, made when the first is written. */
export function localFileStore(folder: string): FileStore {
  const pathOf = (name: string): string => join(folder, ...name.split('/'));
  const read = async (name: string): Promise<Buffer | undefined> =>
    readFile(pathOf(name)).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    });
  return {
    urlOf: pathOf,
    read,
    async create(name, bytes) {
      const path = pathOf(name);
      await mkdir(dirname(path), { recursive: true });
      const unfinished = join(dirname(path), `${UNFINISHED}${randomUUID()}`);
      try {
        await writeWhole(unfinished, bytes);
        // Unlike a rename, a link never replaces what is there.
        await link(unfinished, path);
        return 'created';
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
        const there = await readFile(path);
        if (there.equals(bytes)) return 'same';
        throw new FilesDifferError(path, sha256(bytes), sha256(there));
      } finally {
        await rm(unfinished, { force: true });
      }
    },
    async list(prefix) {
      const within = prefix.slice(0, prefix.lastIndexOf('/') + 1);
      const found: StoredFile[] = [];
      for (const path of await filesBelow(pathOf(within))) {
        const name = relative(folder, path).split(sep).join('/');
        if (!name.startsWith(prefix)) continue;
        const bytes = await readFile(path);
        found.push({ name, bytes: bytes.length, sha256: sha256(bytes) });
      }
      return found.sort((one, other) => (one.name < other.name ? -1 : 1));
    },
  };
}

async function filesBelow(folder: string): Promise<string[]> {
  const there = await stat(folder).catch(() => undefined);
  if (!there?.isDirectory()) return [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith(UNFINISHED))
    .map((entry) => join(entry.parentPath, entry.name));
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
