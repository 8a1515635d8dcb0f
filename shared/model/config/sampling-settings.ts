import type { Feed } from './declaration.ts';
import type { Report } from './finding.ts';
import type { WrittenFeed } from './schema.ts';
import { parseShare } from './units.ts';

/** What a feed says of which rows count, how much, and for what. */
export type Sampling = Pick<Feed, 'split' | 'weight' | 'balance' | 'fitFrom'>;

/** Resolves a feed's split, weights, balance, and where its fit comes from. */
export function samplingSettings(written: WrittenFeed, path: readonly string[], report: Report): Sampling {
  const { label, weight, balance, transforms } = written;
  if (weight && 'weight' in transforms) {
    report([...path, 'transforms', 'weight'], 'has the name of the weight tensor', 'Choose another name');
  }
  for (const tensor of Object.keys(transforms)) {
    const base = /^(.+)_(?:mask|length)$/.exec(tensor)?.[1];
    if (base === undefined || !Object.hasOwn(transforms, base)) continue;
    report([...path, 'transforms', tensor], `has the name of a tensor beside ${base}`, 'Choose another name');
  }
  const needsLabel = [balance ? 'balance' : undefined, weight && 'classes' in weight ? 'weight' : undefined];
  for (const setting of needsLabel) {
    if (setting === undefined || label) continue;
    report([...path, setting], 'goes by classes, but no label is declared', 'Add `label: { column: … }`');
  }
  return {
    split: splitOf(written, path, report),
    weight: weight && weightOf(weight),
    balance: balance && Object.entries(balance).map(([value, share]) => [Number(value), parseShare(share)] as const),
    fitFrom: written.fitFrom,
  };
}

function splitOf({ split }: WrittenFeed, path: readonly string[], report: Report): Feed['split'] {
  if (!split) return undefined;
  const evaluateShare = parseShare(split.evaluate);
  if (split.test === undefined) return { by: split.by, evaluateShare };
  const testShare = parseShare(split.test);
  if (evaluateShare + testShare >= 1) {
    report([...path, 'split'], 'leaves no rows to train on', 'Lower `evaluate` and `test` to less than 100% together');
  }
  return { by: split.by, evaluateShare, testShare };
}

function weightOf(weight: NonNullable<WrittenFeed['weight']>): Feed['weight'] {
  if ('column' in weight) return { kind: 'column', column: weight.column };
  if (weight.classes === 'balanced') return { kind: 'balanced' };
  const weights = Object.entries(weight.classes).map(([value, of]) => [Number(value), of] as const);
  return { kind: 'classes', weights };
}
