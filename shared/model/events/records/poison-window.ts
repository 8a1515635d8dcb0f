import { PenstockError } from '../../../base/errors.ts';
import type { Pipeline } from '../../config/declaration.ts';
import type { PoisonClass } from './poison.ts';

/** A record that a batch sets aside. */
export interface PoisonFound {
  /** Its place among the batch's records, from 0. */
  readonly at: number;
  readonly poison: PoisonClass;
  readonly reason: string;
  /** Names the record: the dead letter's id. */
  readonly id: string;
}

/** A batch as the limit sees it. */
export interface BatchVerdict {
  readonly recordCount: number;
  /** In order of `at`. */
  readonly dead: readonly PoisonFound[];
}

/** More of the last records were poison than the pipeline allows: something is wrong with all of them. */
export class PoisonShareError extends PenstockError {
  readonly poisonCount: number;
  readonly recordCount: number;

  constructor(pipeline: string, limit: Limit, held: readonly Held[]) {
    const [name, classCount] = mostFrequent(held);
    const example = held.findLast(({ poison }) => poison === name);
    const percent = Number((limit.share * 100).toFixed(3));
    super(
      `Pipeline ${pipeline} stops: ${held.length} of its last ${limit.of} records are poison, over its limit of ${percent} %. ` +
        `Most of them (${classCount}) are ${name}, such as ${example?.id}: ${example?.reason}`,
      {
        code: 'POISON_SHARE',
        remedy:
          'Correct the producer, the pipeline or the table, then start again from the same checkpoint; or raise poisonLimit',
        retryable: false,
      },
    );
    this.poisonCount = held.length;
    this.recordCount = limit.of;
  }
}

/**
 * The last records of one pipeline that one worker committed.
 *
 * Empty when the worker starts: what an earlier one saw is forgotten, so that a pipeline that stopped gets as far again as
 * the limit allows.
 */
export interface PoisonWindow {
  /**
   * Looks at a batch that is about to be committed; remembers nothing.
   *
   * @throws {PoisonShareError} when the limit would be passed at any of its records
   */
  admit(batch: BatchVerdict): void;
  /** Takes in a batch that was committed. */
  add(batch: BatchVerdict): void;
}

type Limit = NonNullable<Pipeline['poisonLimit']>;

/** `position` counts the worker's records from 0. */
type Held = Omit<PoisonFound, 'at'> & { readonly position: number };

/**
 * Makes the window of a pipeline's `poisonLimit`.
 *
 * The limit is a count, `share` of `of` records: while fewer than `of` have been seen, the records that are still to come
 * count as good ones.
 *
 * @returns undefined for a pipeline without a limit
 */
export function poisonWindow({ name, poisonLimit }: Pipeline): PoisonWindow | undefined {
  if (!poisonLimit) return undefined;
  const limit = poisonLimit;
  const allowed = Math.floor(limit.share * limit.of + 1e-9);
  let seen = 0;
  let held: readonly Held[] = [];

  const slide = ({ dead }: BatchVerdict, onOver: (held: readonly Held[]) => void): Held[] => {
    const next = [...held];
    let from = 0;
    for (const { at, ...found } of dead) {
      const position = seen + at;
      while (from < next.length && (next[from]?.position ?? 0) <= position - limit.of) from++;
      next.push({ ...found, position });
      if (next.length - from > allowed) onOver(next.slice(from));
    }
    return next.slice(from);
  };

  return {
    admit(batch) {
      if (batch.dead.length === 0) return;
      slide(batch, (over) => {
        throw new PoisonShareError(name, limit, over);
      });
    },
    add(batch) {
      const next = slide(batch, () => {});
      seen += batch.recordCount;
      held = next.filter(({ position }) => position > seen - limit.of);
    },
  };
}

function mostFrequent(held: readonly Held[]): readonly [poison: string, count: number] {
  const counts = new Map<string, number>();
  for (const { poison } of held) counts.set(poison, (counts.get(poison) ?? 0) + 1);
  return [...counts].reduce((most, one) => (one[1] > most[1] ? one : most), ['', 0]);
}
