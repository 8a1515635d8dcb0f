import { compareKeys, type Key, type KeyColumn, type KeyPart } from './key.ts';
import { type Alphabets, type KeyLine, keyLine, signsOf } from './key-line.ts';
import type { KeySample } from './key-range.ts';

/** Rows that an answer to a probe holds at most: neighbours, whose distances tell how dense the keys are there. */
export const probeRows = 32;
/** Of the gaps that are looked into, every so many is chosen for being wide, whatever it seems to hold. */
const WIDE_EVERY = 4;
/** A part is known well enough when no gap holds more of it. */
const GAPS_PER_PART = 4;
/** Of a gap's width: texts that differ only so far behind are told apart by a double's last bits, if at all. */
const NEGLIGIBLE = 2 ** -40;
/** More than any table has: estimates are sums that must stay finite. */
const MOST_ROWS = 2 ** 50;
/** Signs of a text whose places are told apart. */
const MAX_PLACES = 64;

/** A question about a table's keys. */
export type Probe =
  /** The first keys from a place on: a key, or the beginning of keys. */
  | { readonly kind: 'from'; readonly from: Key }
  /** The last key that begins so, and the first keys behind it. */
  | { readonly kind: 'leap'; readonly prefix: Key };

export interface ProbeAnswer {
  /** At most `probeRows`, in the table's order; fewer when the table ends. */
  readonly keys: readonly Key[];
  /** Of a leap. */
  readonly last?: Key | undefined;
}

/** Neighbouring rows that are known. */
interface Run {
  readonly keys: readonly Key[];
  /** Behind it, where nothing is known. */
  gap: Gap | undefined;
  /** How dense keys are here, where it is not told by the run itself. */
  readonly extent: Extent | undefined;
  /** The column whose value it was leapt to. */
  readonly leaptAt: number;
}

interface Extent {
  readonly from: Key;
  readonly to: Key;
  readonly rows: number;
}

/** Rows between a run and a place, of which nothing is known yet. */
interface Gap {
  readonly before: Run;
  /** The next run's first key, or a place from which on rows are known. */
  readonly to: Key;
  readonly after: Run | undefined;
  /** How often it was halved. */
  readonly depth: number;
  /** Rows, where densities say nothing. */
  readonly inherited: number;
  estimate: number;
  isMeasured: boolean;
}

/**
 * Learns where a table's rows lie without reading them all: looks at some neighbouring keys here and there, most where it expects most
 * rows, and takes the rows between for as dense as those beside them.
 *
 * What it learns decides how evenly shards are cut, never whether they cover every row: any keys do for that.
 */
export class KeyProber {
  readonly #columns: readonly KeyColumn[];
  readonly #runs: Run[];
  /** Of each column, by the place of a sign. */
  readonly #signs: Set<number>[][];
  readonly #asked = new Map<Probe, Gap>();
  #gaps: Gap[] = [];
  #alphabets: readonly Alphabets[] = [];
  #hasNewSigns = false;
  #count = 0;

  /**
   * @param known some keys in a row, behind which nothing is known
   * @param last the table's last key, behind all of these
   */
  constructor(columns: readonly KeyColumn[], known: readonly Key[], last: Key) {
    this.#columns = columns;
    this.#signs = columns.map(() => []);
    const first = runOf(known);
    const end = runOf([last]);
    this.#runs = [first, end];
    this.#see([...known, last]);
    this.#learnSigns();
    this.#open(first, last, end, { depth: 0, inherited: probeRows });
  }

  /** Rows behind the keys that were known, as far as one can tell. */
  get rowCount(): number {
    const [, ...learned] = this.#runs;
    const seen = learned.reduce((sum, { keys }) => sum + keys.length, 0);
    return Math.round(this.#gaps.reduce((sum, { estimate }) => sum + estimate, seen));
  }

  /** Keys with the rows from each to the next, in the table's order; the first is the last that was known, itself counted. */
  samples(): KeySample[] {
    const [known, ...learned] = this.#runs;
    const runs = learned.toSorted((one, other) => this.#compare(firstOf(one), firstOf(other)));
    const behind = (run: Run, own: number): KeySample => ({ key: lastOf(run), rows: own + (run.gap?.estimate ?? 0) });
    return [
      ...(known ? [behind(known, 1)] : []),
      ...runs.flatMap((run) => {
        const { length } = run.keys;
        return length === 1 ? [behind(run, 1)] : [{ key: firstOf(run), rows: length - 1 }, behind(run, 1)];
      }),
    ];
  }

  /**
   * What to ask next.
   *
   * @param most probes at once
   * @param parts how many parts of the table are wanted
   * @returns none when it is known well enough
   */
  next(most: number, parts: number): Probe[] {
    this.#learnSigns();
    const enough = this.rowCount / (GAPS_PER_PART * parts);
    const byRows = this.#gaps
      .filter((gap) => !gap.isMeasured || gap.estimate > enough)
      .toSorted((one, other) => rankOf(other) - rankOf(one));
    const byWidth = byRows.toSorted((one, other) => one.depth - other.depth);
    const probes: Probe[] = [];
    const chosen = new Set<Gap>();
    for (let at = 0; at < byRows.length && probes.length < most; at += 1) {
      const list = (this.#count + at) % WIDE_EVERY === 0 ? byWidth : byRows;
      const gap = list.find((candidate) => !chosen.has(candidate));
      if (gap === undefined) break;
      chosen.add(gap);
      const probe = this.#probeInto(gap);
      if (probe === undefined) this.#close(gap);
      else {
        this.#asked.set(probe, gap);
        probes.push(probe);
      }
    }
    this.#count += 1;
    return probes;
  }

  /** Takes the answer to a probe that `next` gave. */
  take(probe: Probe, answer: ProbeAnswer): void {
    const gap = this.#asked.get(probe);
    if (gap === undefined) throw new RangeError('The answer is to a probe that was not asked');
    this.#asked.delete(probe);
    this.#see([...answer.keys, ...(answer.last ? [answer.last] : [])]);
    const before = gap.to;
    const keys = answer.keys.filter((key) => this.#compare(key, before) < 0);
    const isOpenBehind = keys.length === answer.keys.length && keys.length >= probeRows;
    this.#drop(gap);
    const half = { depth: gap.depth + 1, inherited: gap.estimate / 2 };
    if (probe.kind === 'from') {
      this.#open(
        gap.before,
        probe.from,
        keys.length === 0 ? undefined : this.#add(keys, gap, isOpenBehind, half),
        half,
      );
      return;
    }
    this.#takeLeap(gap, probe.prefix, { keys, last: answer.last, isOpenBehind, half });
  }

  #takeLeap(
    gap: Gap,
    prefix: Key,
    found: {
      readonly keys: readonly Key[];
      readonly last: Key | undefined;
      readonly isOpenBehind: boolean;
      readonly half: Pick<Gap, 'depth' | 'inherited'>;
    },
  ): void {
    const { keys, last, isOpenBehind, half } = found;
    const known = lastOf(gap.before);
    let within = 0;
    if (last !== undefined && this.#compare(known, last) < 0 && this.#compare(last, gap.to) < 0) {
      const end = runOf([last]);
      this.#runs.push(end);
      within = this.#open(gap.before, last, end, half)?.estimate ?? 0;
    }
    const [first] = keys;
    if (first === undefined) return;
    const extent = { from: known, to: first, rows: within + gap.before.keys.length };
    this.#add(keys, gap, isOpenBehind, half, { extent, leaptAt: prefix.length - 1 });
  }

  #add(
    keys: readonly Key[],
    gap: Gap,
    isOpenBehind: boolean,
    half: Pick<Gap, 'depth' | 'inherited'>,
    more: Partial<Run> = {},
  ): Run {
    const run = runOf(keys, more);
    this.#runs.push(run);
    if (isOpenBehind) this.#open(run, gap.to, gap.after, half);
    return run;
  }

  #open(before: Run, to: Key, after: Run | undefined, of: Pick<Gap, 'depth' | 'inherited'>): Gap | undefined {
    if (this.#compare(lastOf(before), to) >= 0) return undefined;
    const gap: Gap = { before, to, after, ...of, estimate: of.inherited, isMeasured: false };
    before.gap = gap;
    this.#gaps.push(gap);
    this.#measure(gap);
    return gap;
  }

  #drop(gap: Gap): void {
    gap.before.gap = undefined;
    this.#gaps = this.#gaps.filter((other) => other !== gap);
  }

  /** There is no key between. */
  #close(gap: Gap): void {
    this.#drop(gap);
  }

  #see(keys: readonly Key[]): void {
    for (const [column, { code }] of this.#columns.entries()) {
      const places = this.#signs[column] ?? [];
      for (const key of keys) {
        for (const [at, sign] of signsOf(code, key[column] ?? null).entries()) {
          const place = Math.min(at, MAX_PLACES - 1);
          places[place] ??= new Set();
          if (places[place].has(sign)) continue;
          places[place].add(sign);
          this.#hasNewSigns = true;
        }
      }
    }
  }

  /** Another sign moves all others on their line. */
  #learnSigns(): void {
    if (!this.#hasNewSigns) return;
    this.#hasNewSigns = false;
    // One alphabet for all places: while little is known it makes gaps seem too large, which looking into them mends.
    this.#alphabets = this.#signs.map((places) => [sorted(places.flatMap((signs) => [...signs]))]);
    for (const gap of this.#gaps) this.#measure(gap);
  }

  /** When all is known that will be: signs have their places, as the digits of a padded number do. */
  settle(): void {
    this.#alphabets = this.#signs.map((places) => places.map((signs) => sorted([...signs])));
    for (const gap of this.#gaps) {
      const { estimate } = gap;
      this.#measure(gap);
      gap.estimate = Math.min(gap.estimate, estimate);
    }
  }

  /** The rows of a gap: as wide as it is, and as dense as what lies beside it. */
  #measure(gap: Gap): void {
    const { before, to, after } = gap;
    const from = lastOf(before);
    const at = this.#differsAt(from, to);
    const extents = [before.extent ?? extentOf(before), after && extentOf(after)].filter((one) => one !== undefined);
    const beside = extents.filter((one) => isAlike(one.from, from, at) && isAlike(one.to, from, at));
    const line = this.#lineOf(at, [from, to, ...beside.flatMap((one) => [one.from, one.to])]);
    const length = (one: Key, other: Key): number => {
      const [left, right] = [line?.at(one[at] ?? null), line?.at(other[at] ?? null)];
      return left === undefined || right === undefined ? 0 : Math.abs(right - left);
    };
    const least = this.#isText(at) ? length(from, to) * NEGLIGIBLE : 0;
    const width = length(from, to);
    const told = beside.filter((one) => length(one.from, one.to) > least);
    // Between floats a gap may be wider than any double, or 10^300 times as wide as what lies beside it.
    const estimates = told.map((one) => one.rows * (width / length(one.from, one.to))).filter(Number.isFinite);
    gap.isMeasured = estimates.length > 0;
    const mean = estimates.reduce((sum, one) => sum + one / estimates.length, 0);
    gap.estimate = gap.isMeasured ? Math.min(mean, MOST_ROWS) : gap.inherited;
  }

  #isText(at: number): boolean {
    const code = this.#columns[at]?.code;
    return code === 'STRING' || code === 'BYTES';
  }

  #probeInto({ before, to }: Gap): Probe | undefined {
    const from = lastOf(before);
    const at = this.#differsAt(from, to);
    const leap: Probe = { kind: 'leap', prefix: from.slice(0, at + 1) };
    const mayLeap = at < this.#columns.length - 1 && before.leaptAt !== at;
    // Of one value alone nothing is known of how dense its neighbours are.
    if (mayLeap && before.keys.length > 1 && isAlike(firstOf(before), from, at + 1)) return leap;
    const middle = this.#middle(at, from, to);
    if (middle !== undefined) return { kind: 'from', from: [...from.slice(0, at), middle] };
    return mayLeap ? leap : undefined;
  }

  #middle(at: number, from: Key, to: Key): KeyPart | undefined {
    const column = this.#columns[at];
    const line = this.#lineOf(at, [from, to]);
    const [low, high] = [from[at] ?? null, to[at] ?? null];
    const [left, right] = [line?.at(low), line?.at(high)];
    if (!column || !line || left === undefined || right === undefined) return undefined;
    const middle = line.partAt((left + right) / 2);
    const isBetween = compareKeys([column], [low], [middle]) < 0 && compareKeys([column], [middle], [high]) < 0;
    return isBetween ? middle : undefined;
  }

  #lineOf(at: number, keys: readonly Key[]): KeyLine | undefined {
    const column = this.#columns[at];
    const parts = keys.map((key) => key[at] ?? null);
    return column && keyLine(column, parts, this.#alphabets[at] ?? []);
  }

  /** The first column in which two keys differ; beginnings of keys may be given. */
  #differsAt(one: Key, other: Key): number {
    const at = this.#columns.findIndex((_, column) => !isAlike(one.slice(column), other.slice(column), 1));
    return at < 0 ? this.#columns.length - 1 : at;
  }

  /** A beginning of keys lies before all of them. */
  #compare(one: Key, other: Key): number {
    const length = Math.min(one.length, other.length);
    const order = compareKeys(this.#columns.slice(0, length), one.slice(0, length), other.slice(0, length));
    return order || one.length - other.length;
  }
}

function runOf(keys: readonly Key[], { extent, leaptAt = -1 }: Partial<Run> = {}): Run {
  return { keys, gap: undefined, extent, leaptAt };
}

function sorted(signs: readonly number[]): number[] {
  return [...new Set(signs)].toSorted((one, other) => one - other);
}

function firstOf({ keys }: Run): Key {
  return keys[0] ?? [];
}

function lastOf({ keys }: Run): Key {
  return keys.at(-1) ?? [];
}

function extentOf(run: Run): Extent | undefined {
  return run.keys.length < 2 ? undefined : { from: firstOf(run), to: lastOf(run), rows: run.keys.length - 1 };
}

/** Whether two keys have their first parts in common. */
function isAlike(one: Key, other: Key, parts: number): boolean {
  for (let at = 0; at < parts; at += 1) if (one[at] !== other[at]) return false;
  return true;
}

/** What is not measured comes first. */
function rankOf({ isMeasured, estimate }: Gap): number {
  return isMeasured ? estimate : Number.MAX_VALUE;
}
