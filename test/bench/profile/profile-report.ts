import type { ProfileNode } from './read-profile.ts';

const TOP_COUNT = 40;

/** Says what part of the work a function belongs to. */
export type PartOf = (node: Pick<ProfileNode, 'name' | 'source'>) => string;

/** A profile as text: the share of each part of the work, then the functions that took most by themselves. */
export function profileReport(root: ProfileNode, partOf: PartOf): string {
  const parts = new Map<string, number>();
  const functions = new Map<string, number>();
  const add = (sums: Map<string, number>, key: string, micros: number) => sums.set(key, (sums.get(key) ?? 0) + micros);
  const walk = (node: ProfileNode): void => {
    if (node.selfMicros > 0) {
      const part = partOf(node);
      add(parts, part, node.selfMicros);
      add(functions, `${part.padEnd(14)} ${node.name}${node.source === '' ? '' : `  ${node.source}`}`, node.selfMicros);
    }
    node.children.forEach(walk);
  };
  walk(root);
  const line = ([name, micros]: readonly [string, number]): string => {
    const share = ((micros / root.totalMicros) * 100).toFixed(1);
    return `${share.padStart(5)} %  ${(micros / 1000).toFixed(0).padStart(6)} ms  ${name}`;
  };
  const sorted = (sums: Map<string, number>) => [...sums].sort(([, left], [, right]) => right - left).map(line);
  return [
    `Self time, of ${(root.totalMicros / 1000).toFixed(0)} ms in which the thread worked.`,
    '',
    'By part',
    ...sorted(parts),
    '',
    `By function, the first ${TOP_COUNT}`,
    ...sorted(functions).slice(0, TOP_COUNT),
    '',
  ].join('\n');
}
