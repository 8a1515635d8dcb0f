import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Plugin } from 'esbuild';
import { buildInto } from '../../deploy/build.ts';

const dist = resolve(import.meta.dirname, '../../dist');

/** A guard of exactly-once that is taken out of a bundle, to see that its absence shows. */
export type Sabotage =
  /** Any owner may write, however many came after it. */
  | 'no-fence'
  /** And records below the checkpoint are written again. */
  | 'no-fence-no-checkpoint';

/** Bundles in a folder of their own, which nobody builds over while they run. */
export interface ChaosBundles {
  readonly dist: string;
  remove(): void;
}

/** Builds functions for a chaos run. */
export async function buildChaosBundles(names: readonly string[], sabotage?: Sabotage): Promise<ChaosBundles> {
  mkdirSync(dist, { recursive: true });
  const folder = mkdtempSync(join(dist, '.chaos-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    await buildInto(folder, names, sabotage ? [withoutGuard(sabotage)] : []);
    return { dist: folder, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function withoutGuard(sabotage: Sabotage): Plugin {
  const countsFrom = sabotage === 'no-fence' ? 'checkpoint.nextOffset' : 'claim.fromOffset';
  return {
    name: `sabotage-${sabotage}`,
    setup(plugin) {
      plugin.onLoad({ filter: /\/refuse-if-fenced\.ts$/ }, () => ({
        contents: `export function refuseIfFenced(claim, checkpoint) { return ${countsFrom}; }`,
        loader: 'js',
      }));
    },
  };
}
