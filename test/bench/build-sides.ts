import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { buildInto } from '../../deploy/build.ts';

const dist = resolve(import.meta.dirname, '../../dist');

/** Plain JavaScript of some scripts: stripping types in the measured process would cost it time and tens of MB. */
export interface BuiltSides {
  /** The built file of a script, by its name without `.ts`. */
  path(name: string): string;
  /** Where bundles of functions are, below the folder of this build. */
  readonly dist: string;
  remove(): void;
}

/**
 * Builds scripts with what they import of ours; packages stay in `node_modules`.
 *
 * @param folder where the scripts lie
 * @param functions are built as they deploy, in this folder of their own: no other build replaces them while they run
 */
export async function buildSides(
  folder: string,
  names: readonly string[],
  functions: readonly string[] = [],
): Promise<BuiltSides> {
  mkdirSync(dist, { recursive: true });
  const outdir = mkdtempSync(join(dist, '.bench-'));
  await build({
    entryPoints: names.map((name) => join(folder, `${name}.ts`)),
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // For profiles, which name functions by where they are written.
    sourcemap: 'linked',
    logLevel: 'warning',
  });
  await buildInto(outdir, functions);
  return {
    dist: outdir,
    path: (name) => join(outdir, `${name}.mjs`),
    remove: () => rmSync(outdir, { recursive: true, force: true }),
  };
}
