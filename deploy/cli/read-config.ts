import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ConfigError } from '../../shared/base/errors.ts';
import { type ReadDeclaration, readDeclaration } from '../../shared/model/config/read-declaration.ts';

/**
 * Reads the declaration of `--config`.
 *
 * @param sections those whose variables must be set for this command
 * @throws {ConfigError} naming every mistake
 */
export async function readConfig(file: string, sections: readonly string[]): Promise<ReadDeclaration> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ConfigError([
      {
        path: file,
        message: error.code === 'ENOENT' ? 'does not exist' : `cannot be read: ${error.code}`,
        remedy: 'Name the declaration with --config FILE',
      },
    ]);
  });
  return readDeclaration({ file, text, env: process.env, sections, readBeside: (name) => readBeside(file, name) });
}

/** A schema file that the declaration names; undefined where it cannot be read. */
function readBeside(file: string, name: string): string | undefined {
  try {
    return readFileSync(resolve(dirname(file), name), 'utf8');
  } catch {
    return undefined;
  }
}
