import {
  type ExpectedHistory,
  type FoundCommit,
  type FoundHistory,
  type TableRow,
  type TableRows,
  topicPipelines,
} from './history.ts';

/**
 * `stale-owner`: an owner that was overtaken has written. `broken-lineage`: offsets of a partition that no commit, or two
 * commits, account for. `unknown`: something that nobody produced.
 */
export type DamageKind = 'lost' | 'doubled' | 'reordered' | 'stale-owner' | 'broken-lineage' | 'unknown';

/** One thing that Spanner should hold otherwise. */
export interface Damage {
  readonly kind: DamageKind;
  /** Table, then key, partition and offset, or message. */
  readonly where: string;
  readonly what: string;
  /** Records concerned, at least 1. */
  readonly records: number;
}

/** Holds what Spanner has against what it must have, and names every difference; `Events` has a check of its own. */
export function findDamages(expected: ExpectedHistory, found: FoundHistory): Damage[] {
  return [
    ...[...expected.tables].flatMap(([table, wanted]) =>
      tableDamages(table, wanted, found.tables.get(table) ?? new Map()),
    ),
    ...topicPipelines.flatMap((pipeline) =>
      expected.partitions.flatMap((_, partition) => lineageDamages(pipeline, partition, expected, found)),
    ),
    ...deadLetterDamages(expected, found.deadLetters),
  ];
}

/** Adds the records of damages of one kind up. */
export function countDamages(damages: readonly Damage[], kind: DamageKind): number {
  return damages.reduce((sum, damage) => sum + (damage.kind === kind ? damage.records : 0), 0);
}

function tableDamages(table: string, wanted: TableRows, found: TableRows): Damage[] {
  const damages: Damage[] = [];
  for (const key of new Set([...wanted.keys(), ...found.keys()])) {
    const want = wanted.get(key);
    const have = found.get(key);
    const where = `${table} ${key.slice(0, 80)}`;
    if (want && have && textOf(want) === textOf(have)) continue;
    const what = `holds ${have ? textOf(have) : 'no row'} instead of ${want ? textOf(want) : 'none'}`;
    const doubled = countOf(have) - countOf(want);
    if ((want ?? have)?.EventCount !== undefined && doubled !== 0) {
      damages.push({ kind: doubled > 0 ? 'doubled' : 'lost', where, what, records: Math.abs(doubled) });
    } else if (want && have && want.EventCount !== undefined) {
      // As many as were produced, but not the same ones: one is missing for each that came twice.
      damages.push({ kind: 'lost', where, what, records: 1 }, { kind: 'doubled', where, what, records: 1 });
    } else {
      damages.push({ kind: want ? (have ? 'reordered' : 'lost') : 'unknown', where, what, records: 1 });
    }
  }
  return damages;
}

function countOf(row: TableRow | undefined): number {
  return Number(row?.EventCount ?? 0);
}

function textOf(row: TableRow): string {
  return Object.keys(row)
    .sort()
    .map((column) => `${column} ${row[column]?.slice(0, 80)}`)
    .join(', ');
}

/** A partition's commits must follow each other without gap or overlap up to the checkpoint, their fences never falling. */
function lineageDamages(pipeline: string, partition: number, expected: ExpectedHistory, found: FoundHistory): Damage[] {
  const { offsets = [] } = expected.partitions[partition] ?? {};
  const commits = found.lineage
    .filter((commit) => commit.pipeline === pipeline && commit.partition === partition)
    .sort((a, b) => a.from - b.from);
  const checkpoint = found.checkpoints.find((one) => one.pipeline === pipeline && one.partition === partition);
  const damages: Damage[] = [];
  let next = 0;
  let fence = 0;
  for (const commit of commits) {
    damages.push(...commitDamages(commit, { expected, offsets, next, fence }));
    next = Math.max(next, commit.to);
    fence = Math.max(fence, commit.fence);
  }
  const where = `PenstockCheckpoints ${pipeline} ${partition}`;
  const nextOffset = checkpoint?.nextOffset ?? 0;
  if (nextOffset !== next) {
    const what = `stands at ${nextOffset}, but lineage ends at ${next}`;
    damages.push({ kind: 'broken-lineage', where, what, records: Math.abs(nextOffset - next) });
  }
  const unread = offsets.length - placeOf(offsets, nextOffset);
  if (unread > 0) {
    damages.push({ kind: 'lost', where, what: `stands at ${nextOffset}, below ${unread} records`, records: unread });
  }
  if (checkpoint && checkpoint.fence < fence) {
    const what = `has fence ${checkpoint.fence}; lineage has seen ${fence}`;
    damages.push({ kind: 'stale-owner', where, what, records: 1 });
  }
  return damages;
}

interface Before {
  readonly expected: ExpectedHistory;
  readonly offsets: readonly number[];
  /** Where the commits before it end. */
  readonly next: number;
  /** The highest of the commits before it. */
  readonly fence: number;
}

function commitDamages(commit: FoundCommit, { expected, offsets, next, fence }: Before): Damage[] {
  const where = `PenstockLineage ${commit.pipeline} ${commit.partition}/${commit.from}`;
  const damages: Damage[] = [];
  if (commit.from !== next) {
    const what = commit.from > next ? `nothing accounts for offsets ${next} and up` : `begins before offset ${next}`;
    damages.push({ kind: 'broken-lineage', where, what, records: Math.abs(commit.from - next) });
  }
  const inRange = offsets.slice(placeOf(offsets, commit.from), placeOf(offsets, commit.to));
  const idOf = (offset: number): string => `${commit.pipeline} ${expected.topic}/${commit.partition}/${offset}`;
  const dead = inRange.filter((offset) => expected.deadLetters.has(idOf(offset))).length;
  if (commit.records !== inRange.length || commit.dead !== dead) {
    const what = `accounts for ${commit.records} records, ${commit.dead} dead, of ${inRange.length}, ${dead} dead`;
    damages.push({ kind: 'broken-lineage', where, what, records: 1 });
  }
  if (commit.fence < fence) {
    const what = `was written under fence ${commit.fence} after an owner with fence ${fence}`;
    damages.push({ kind: 'stale-owner', where, what, records: commit.records });
  }
  return damages;
}

/** How many offsets are below one, by halving. */
function placeOf(offsets: readonly number[], offset: number): number {
  let from = 0;
  let to = offsets.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((offsets[middle] ?? 0) < offset) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Each poison once for each pipeline that must refuse it, in its class, and nothing else. */
function deadLetterDamages({ deadLetters }: ExpectedHistory, letters: FoundHistory['deadLetters']): Damage[] {
  const missing = new Map(deadLetters);
  const damages: Damage[] = [];
  for (const { pipeline, id, poison } of letters) {
    const wanted = missing.get(`${pipeline} ${id}`);
    missing.delete(`${pipeline} ${id}`);
    if (wanted === poison) continue;
    // A good record that Spanner refused: it was inserted a second time.
    const isTwice = wanted === undefined && (poison === 'constraint' || poison === 'conflict');
    const what = wanted ? `is set aside as ${poison}, not ${wanted}` : `is set aside: ${poison}`;
    const where = `PenstockDeadLetters ${pipeline} ${id}`;
    damages.push({ kind: isTwice ? 'doubled' : 'unknown', where, what, records: 1 });
  }
  for (const [letter, poison] of missing) {
    const what = `poison left no letter: ${poison}`;
    damages.push({ kind: 'lost', where: `PenstockDeadLetters ${letter}`, what, records: 1 });
  }
  return damages;
}
