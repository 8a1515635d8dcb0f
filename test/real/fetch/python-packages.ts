import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const cache = resolve(import.meta.dirname, '../../../.cache/python');
const TIMEOUT_MS = 300_000;

/**
 * Installs Python packages into an environment of their own, unless an earlier run has.
 *
 * @param packages `name==version` each
 * @returns its Python
 * @throws {Error} when pip fails; nothing half-installed is left behind
 */
export function pythonWith(packages: readonly string[]): string {
  const dir = join(cache, createHash('sha256').update(packages.join('\n')).digest('hex').slice(0, 12));
  const fetched = join(dir, 'fetched');
  const python = join(dir, 'bin/python');
  if (!existsSync(fetched)) {
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(cache, { recursive: true });
    const options: ExecFileSyncOptions = { stdio: ['ignore', 'inherit', 'inherit'], timeout: TIMEOUT_MS };
    execFileSync('python3', ['-m', 'venv', dir], options);
    execFileSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages], options);
    writeFileSync(fetched, `${packages.join('\n')}\n`);
  }
  return python;
}
