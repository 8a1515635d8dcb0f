import type { PartOf } from './profile-report.ts';

/** Where Node's own JavaScript is written. */
const NODE = [
  ['node:internal/modules/', 'start'],
  ['node:internal/bootstrap/', 'start'],
  ['node:', 'node'],
] as const;

/**
 * Makes the telling of parts by where functions are written.
 *
 * @param folders with the part that each is; the first that fits. What is of none of them is `node`, `start`, `native` (V8, system
 *   calls), `gc` or `other` (packages)
 */
export function partsOf(folders: readonly (readonly [string, string])[]): PartOf {
  return ({ name, source }) => {
    if (name === '(garbage collector)') return 'gc';
    // Natives of V8 and of Node have no source.
    if (source === '') return 'native';
    return [...folders, ...NODE].find(([folder]) => source.startsWith(folder))?.[1] ?? 'other';
  };
}
