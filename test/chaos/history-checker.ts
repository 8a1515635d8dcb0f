import {
  type FoundCommit,
  type FoundHistory,
  type ProducedHistory,
  type ProducedRecord,
  pushPipeline,
  type Totals,
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

/** Holds what Spanner has against what was produced, and names every difference. */
export function findDamages(produced: ProducedHistory, found: FoundHistory): Damage[] {
  return [
    ...eventDamages(produced, found.events),
    ...latestDamages(produced, found.latest),
    ...totalDamages('Counters', totalsOf(produced.partitions.flat()), found.counters),
    ...totalDamages('Pushed', totalsOf([...produced.published.values()]), found.pushed),
    ...topicPipelines.flatMap((pipeline) =>
      produced.partitions.flatMap((records, partition) => lineageDamages(pipeline, partition, records.length, found)),
    ),
    ...deadLetterDamages(produced, found.deadLetters),
  ];
}

/** Adds the records of damages of one kind up. */
export function countDamages(damages: readonly Damage[], kind: DamageKind): number {
  return damages.reduce((sum, damage) => sum + (damage.kind === kind ? damage.records : 0), 0);
}

function eventDamages({ partitions }: ProducedHistory, events: FoundHistory['events']): Damage[] {
  const damages: Damage[] = [];
  const held = new Map(events.map((event) => [`${event.partition}/${event.offset}`, event]));
  if (held.size < events.length) {
    const records = events.length - held.size;
    damages.push({ kind: 'doubled', where: 'Events', what: `${records} keys came twice from one read`, records });
  }
  for (const [partition, records] of partitions.entries()) {
    for (const [offset, { key, sequence }] of records.entries()) {
      const at = `${partition}/${offset}`;
      const event = held.get(at);
      held.delete(at);
      if (sequence === undefined) {
        if (event) damages.push({ kind: 'unknown', where: `Events ${at}`, what: 'poison became a row', records: 1 });
      } else if (!event) {
        damages.push({ kind: 'lost', where: `Events ${at}`, what: `no row for ${key} ${sequence}`, records: 1 });
      } else if (event.key !== key || event.sequence !== sequence) {
        const what = `holds ${event.key} ${event.sequence} instead of ${key} ${sequence}`;
        damages.push({ kind: 'reordered', where: `Events ${at}`, what, records: 1 });
      }
    }
  }
  for (const at of held.keys()) {
    damages.push({ kind: 'unknown', where: `Events ${at}`, what: 'no such record was produced', records: 1 });
  }
  return damages;
}

/** The last record of a key, in its partition's order, is what an upsert must leave. */
function latestDamages({ partitions }: ProducedHistory, latest: FoundHistory['latest']): Damage[] {
  const wanted = new Map<string, number>();
  for (const { key, sequence } of partitions.flat()) if (sequence !== undefined) wanted.set(key, sequence);
  const damages: Damage[] = [];
  for (const [key, sequence] of wanted) {
    const held = latest.get(key);
    const where = `Latest ${key}`;
    if (held === undefined) damages.push({ kind: 'lost', where, what: 'has no row', records: 1 });
    else if (held !== sequence) {
      damages.push({ kind: 'reordered', where, what: `holds ${held}; ${sequence} came last`, records: 1 });
    }
  }
  for (const key of latest.keys()) {
    if (!wanted.has(key)) {
      damages.push({ kind: 'unknown', where: `Latest ${key}`, what: 'no such key was produced', records: 1 });
    }
  }
  return damages;
}

function totalsOf(records: readonly ProducedRecord[]): Map<string, Totals> {
  const totals = new Map<string, Totals>();
  for (const { key, sequence } of records) {
    if (sequence === undefined) continue;
    const { count, sum, max } = totals.get(key) ?? { count: 0, sum: 0, max: sequence };
    totals.set(key, { count: count + 1, sum: sum + sequence, max: Math.max(max, sequence) });
  }
  return totals;
}

function totalDamages(table: string, wanted: ReadonlyMap<string, Totals>, found: ReadonlyMap<string, Totals>) {
  const damages: Damage[] = [];
  for (const key of new Set([...wanted.keys(), ...found.keys()])) {
    const want = wanted.get(key) ?? { count: 0, sum: 0, max: 0 };
    const have = found.get(key) ?? { count: 0, sum: 0, max: 0 };
    const where = `${table} ${key}`;
    const what = `counts ${have.count} (sum ${have.sum}, max ${have.max}) instead of ${want.count} (sum ${want.sum}, max ${want.max})`;
    if (have.count > want.count) damages.push({ kind: 'doubled', where, what, records: have.count - want.count });
    else if (have.count < want.count) damages.push({ kind: 'lost', where, what, records: want.count - have.count });
    else if (have.sum !== want.sum || have.max !== want.max) {
      // As many as were produced, but not the same ones: one is missing for each that came twice.
      damages.push({ kind: 'lost', where, what, records: 1 }, { kind: 'doubled', where, what, records: 1 });
    }
  }
  return damages;
}

/** A partition's commits must follow each other without gap or overlap up to the checkpoint, their fences never falling. */
function lineageDamages(pipeline: string, partition: number, produced: number, found: FoundHistory): Damage[] {
  const commits = found.lineage
    .filter((commit) => commit.pipeline === pipeline && commit.partition === partition)
    .sort((a, b) => a.from - b.from);
  const checkpoint = found.checkpoints.find((one) => one.pipeline === pipeline && one.partition === partition);
  const at = (commit: FoundCommit): string => `PenstockLineage ${pipeline} ${partition}/${commit.from}`;
  const damages: Damage[] = [];
  let next = 0;
  let fence = 0;
  for (const commit of commits) {
    if (commit.from !== next) {
      const what = commit.from > next ? `nothing accounts for offsets ${next} and up` : `begins before offset ${next}`;
      damages.push({ kind: 'broken-lineage', where: at(commit), what, records: Math.abs(commit.from - next) });
    }
    if (commit.records !== commit.to - commit.from) {
      const what = `accounts for ${commit.records} records of ${commit.to - commit.from}`;
      damages.push({ kind: 'broken-lineage', where: at(commit), what, records: 1 });
    }
    if (commit.fence < fence) {
      const what = `was written under fence ${commit.fence} after an owner with fence ${fence}`;
      damages.push({ kind: 'stale-owner', where: at(commit), what, records: commit.records });
    }
    next = Math.max(next, commit.to);
    fence = Math.max(fence, commit.fence);
  }
  const where = `PenstockCheckpoints ${pipeline} ${partition}`;
  const nextOffset = checkpoint?.nextOffset ?? 0;
  if (nextOffset !== next) {
    const what = `stands at ${nextOffset}, but lineage ends at ${next}`;
    damages.push({ kind: 'broken-lineage', where, what, records: Math.abs(nextOffset - next) });
  }
  if (nextOffset !== produced) {
    const kind = nextOffset < produced ? 'lost' : 'unknown';
    const what = `stands at ${nextOffset} of ${produced}`;
    damages.push({ kind, where, what, records: Math.abs(produced - nextOffset) });
  }
  if (checkpoint && checkpoint.fence < fence) {
    const what = `has fence ${checkpoint.fence}; lineage has seen ${fence}`;
    damages.push({ kind: 'stale-owner', where, what, records: 1 });
  }
  return damages;
}

/** Each poison once for each pipeline, and nothing else. */
function deadLetterDamages(produced: ProducedHistory, letters: FoundHistory['deadLetters']): Damage[] {
  const wanted = new Set<string>();
  for (const [partition, records] of produced.partitions.entries()) {
    for (const [offset, { sequence }] of records.entries()) {
      if (sequence !== undefined) continue;
      for (const pipeline of topicPipelines) wanted.add(`${pipeline} ${produced.topic}/${partition}/${offset}`);
    }
  }
  for (const [id, { sequence }] of produced.published) if (sequence === undefined) wanted.add(`${pushPipeline} ${id}`);
  const damages: Damage[] = [];
  for (const { pipeline, id, poison } of letters) {
    if (wanted.delete(`${pipeline} ${id}`)) continue;
    // A good record that Spanner refused: it was inserted a second time.
    const kind = poison === 'constraint' ? 'doubled' : 'unknown';
    damages.push({ kind, where: `PenstockDeadLetters ${pipeline} ${id}`, what: `is set aside: ${poison}`, records: 1 });
  }
  for (const letter of wanted) {
    damages.push({ kind: 'lost', where: `PenstockDeadLetters ${letter}`, what: 'poison left no letter', records: 1 });
  }
  return damages;
}
