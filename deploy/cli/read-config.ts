import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { openPolicyEngine } from '../../shared/adapters/policy/policy-engine.ts';
import { ConfigError, type ConfigProblem } from '../../shared/base/errors.ts';
import { type ReadDeclaration, readDeclaration } from '../../shared/model/config/read-declaration.ts';

/** What may be done without the folder of policies that a declaration names. */
type WithoutPolicies = 'refuse' | 'say';

/**
 * Reads the declaration of `--config`, with its policies.
 *
 * On an emulator a missing folder of policies is said, and nothing is guarded: a declaration that was copied alone still runs
 * on a laptop, and is never deployed so.
 *
 * @param sections those whose variables must be set for this command
 * @throws {ConfigError} naming every mistake, also in policies
 */
export async function readConfig(
  file: string,
  sections: readonly string[],
  withoutPolicies: WithoutPolicies = process.env.SPANNER_EMULATOR_HOST ? 'say' : 'refuse',
): Promise<ReadDeclaration> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ConfigError([
      {
        path: file,
        message: error.code === 'ENOENT' ? 'does not exist' : `cannot be read: ${error.code}`,
        remedy: 'Name the declaration with --config FILE',
      },
    ]);
  });
  const read = readDeclaration({ file, text, env: process.env, sections, ...besideOf(dirname(file)) });
  if (read.missingPolicies !== undefined) {
    const problem = missing(file, read.missingPolicies);
    if (withoutPolicies === 'refuse') throw new ConfigError([problem]);
    process.stderr.write(`${file}: access.policies ${problem.message}: nothing is guarded by policies.\n`);
  }
  // Policies that do not hold stop every command, not only those that ask them.
  if (read.declaration.access?.sources) await openPolicyEngine(read.declaration);
  return read;
}

/** Reads and lists files beside a declaration; undefined for what cannot be read. */
export function besideOf(folder: string): {
  readonly readBeside: (name: string) => string | undefined;
  readonly listBeside: (name: string) => readonly string[] | undefined;
} {
  return {
    readBeside: (name) => orUndefined(() => readFileSync(resolve(folder, name), 'utf8')),
    listBeside: (name) => orUndefined(() => readdirSync(resolve(folder, name))),
  };
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function missing(file: string, folder: string): ConfigProblem {
  const remedy = 'Create it with at least one .cedar file, or remove `access.policies` to guard nothing by policies';
  return { file, path: 'access.policies', message: `names ${folder}, which does not exist`, remedy };
}
