import {
  type ExpectedHistory,
  fingerprint,
  keyOf,
  type PublishedRecord,
  pushPipeline,
  type TableRow,
  type TopicPipeline,
  type TopicRecord,
  topicPipelines,
} from './history.ts';

const MAX_KEY_BYTES = 8_192;
const MAX_EVENT_KEY = 64;

type Poison = 'undecodable' | 'unmappable' | 'constraint' | 'too-large';

/** What a good value says. */
interface Value {
  readonly sequence: bigint;
  readonly amount: bigint;
  readonly version: bigint;
  readonly slot: string;
  readonly at: string;
  readonly token: string;
}

interface Counter {
  count: bigint;
  sum: bigint;
  min: bigint;
  max: bigint;
  last: bigint;
  lastVersion: bigint;
}

interface Guarded {
  isPresent: boolean;
  version: bigint;
  sequence: bigint;
}

/** Computes what every table must hold, record by record, knowing nothing of how it is done. */
export interface Expectation {
  /** The next record of its partition. */
  add(record: TopicRecord): void;
  publish(id: string, record: PublishedRecord): void;
  history(): ExpectedHistory;
}

/**
 * Starts with empty tables.
 *
 * A record of a key goes to one partition, so that partitions may be told in any order.
 */
export function openExpectation(topic: string): Expectation {
  const partitions: { offsets: number[]; events: number[] }[] = [];
  const tokens = new Set<string>();
  const latest = new Map<string, bigint>();
  const guarded = new Map<string, Guarded>();
  const counters = new Map<string, Counter>();
  const hourly = new Map<string, { key: string; hour: string; count: bigint; sum: bigint }>();
  const parents = new Map<string, { sequence: bigint; children: Map<string, bigint> }>();
  const pushed = new Map<string, { count: bigint; sum: bigint; max: bigint }>();
  const deadLetters = new Map<string, string>();

  /** Each returns why its pipeline must refuse the record, if it must. */
  const steps: Readonly<Record<TopicPipeline, (record: TopicRecord, value: Value | undefined) => Poison | undefined>> =
    {
      events: ({ partition, offset, key }, value) => {
        if (!value) return undefined;
        if (key.length > MAX_EVENT_KEY) return 'unmappable';
        if (value.amount < 0n || tokens.has(value.token)) return 'constraint';
        tokens.add(value.token);
        const events = partitions[partition]?.events ?? [];
        events[events.length - 1] = fingerprint([`${partition}/${offset}`, key, `${value.sequence}`, value.token]);
        return undefined;
      },
      latest: ({ key }, value) => {
        if (!value) latest.delete(key);
        else latest.set(key, value.sequence);
        return undefined;
      },
      guarded: (record, value) => {
        const version = BigInt(record.version);
        const held = guarded.get(record.key);
        if (held && version <= held.version) return undefined;
        guarded.set(record.key, { isPresent: value !== undefined, version, sequence: value?.sequence ?? 0n });
        return undefined;
      },
      counters: ({ key }, value) => {
        if (!value) return undefined;
        const { sequence, amount, version } = value;
        const held = counters.get(key);
        if (!held) {
          counters.set(key, {
            count: 1n,
            sum: amount,
            min: sequence,
            max: sequence,
            last: sequence,
            lastVersion: version,
          });
          return undefined;
        }
        held.count += 1n;
        held.sum += amount;
        if (sequence < held.min) held.min = sequence;
        if (sequence > held.max) held.max = sequence;
        if (version > held.lastVersion) Object.assign(held, { last: sequence, lastVersion: version });
        return undefined;
      },
      hourly: ({ key }, value) => {
        if (!value) return undefined;
        const hour = `${value.at.slice(0, 13)}:00:00Z`;
        const held = hourly.get(keyOf([key, hour])) ?? { key, hour, count: 0n, sum: 0n };
        hourly.set(keyOf([key, hour]), { ...held, count: held.count + 1n, sum: held.sum + value.amount });
        return undefined;
      },
      routed: ({ key, type }, value) => {
        if (type === 'neither') return 'unmappable';
        if (type === 'parent') {
          if (!value) parents.delete(key);
          else parents.set(key, { children: parents.get(key)?.children ?? new Map(), sequence: value.sequence });
          return undefined;
        }
        const parent = parents.get(key);
        if (!value || !parent) return 'constraint';
        parent.children.set(value.slot, value.sequence);
        return undefined;
      },
    };

  return {
    add(record) {
      while (partitions.length <= record.partition) partitions.push({ offsets: [], events: [] });
      const log = partitions[record.partition];
      log?.offsets.push(record.offset);
      log?.events.push(0);
      const value = record.value === null ? undefined : readValue(record.value);
      for (const pipeline of topicPipelines) {
        const poison =
          typeof value === 'string' ? value : (longKey(pipeline, record) ?? steps[pipeline](record, value));
        if (poison) deadLetters.set(`${pipeline} ${topic}/${record.partition}/${record.offset}`, poison);
      }
    },
    publish(id, { key, sequence }) {
      if (sequence === undefined) {
        deadLetters.set(`${pushPipeline} ${id}`, 'undecodable');
        return;
      }
      const at = BigInt(sequence);
      const { count, sum, max } = pushed.get(key) ?? { count: 0n, sum: 0n, max: at };
      pushed.set(key, { count: count + 1n, sum: sum + at, max: at > max ? at : max });
    },
    history: () => ({
      topic,
      partitions,
      deadLetters,
      tables: new Map([
        ['Latest', tableOf(latest, (sequence, EventKey) => ({ EventKey, Sequence: `${sequence}` }))],
        ['Guarded', tableOf(presentOf(guarded), guardedRow)],
        ['Counters', tableOf(counters, counterRow)],
        [
          'Hourly',
          tableOf(hourly, ({ key, hour, count, sum }) => ({
            EventKey: key,
            Hour: hour,
            EventCount: `${count}`,
            AmountSum: `${sum}`,
          })),
        ],
        ['Parents', tableOf(parents, ({ sequence }, EventKey) => ({ EventKey, Sequence: `${sequence}` }))],
        ['Children', childRows(parents)],
        [
          'Pushed',
          tableOf(pushed, ({ count, sum, max }, EventKey) => ({
            EventKey,
            EventCount: `${count}`,
            SequenceSum: `${sum}`,
            SequenceMax: `${max}`,
          })),
        ],
      ]),
    }),
  };
}

/** `events` has another key; the others have the record's. */
function longKey(pipeline: TopicPipeline, { key, type }: TopicRecord): Poison | undefined {
  if (pipeline === 'events' || Buffer.byteLength(key) <= MAX_KEY_BYTES) return undefined;
  return pipeline === 'routed' && type === 'neither' ? 'unmappable' : 'too-large';
}

/** Written from the record's text with no parser of ours; the class where it is no value. */
function readValue(text: string): Value | Poison {
  const found =
    /^\{"sequence":(\d+),"amount":(-?\d+),"version":(\d+),"slot":(\d),"at":"([^"]+)","token":"([^"]+)"\}$/.exec(text);
  if (!found) return text.endsWith('}') ? 'unmappable' : 'undecodable';
  const [, sequence = '', amount = '', version = '', slot = '', at = '', token = ''] = found;
  return { sequence: BigInt(sequence), amount: BigInt(amount), version: BigInt(version), slot, at, token };
}

function tableOf<V>(rows: ReadonlyMap<string, V>, row: (value: V, key: string) => TableRow): Map<string, TableRow> {
  return new Map([...rows].map(([key, value]) => [key, row(value, key)]));
}

function presentOf(guarded: ReadonlyMap<string, Guarded>): Map<string, Guarded> {
  return new Map([...guarded].filter(([, { isPresent }]) => isPresent));
}

function guardedRow({ sequence, version }: Guarded, EventKey: string): TableRow {
  return { EventKey, Sequence: `${sequence}`, Version: `${version}` };
}

function counterRow({ count, sum, min, max, last, lastVersion }: Counter, EventKey: string): TableRow {
  return {
    EventKey,
    EventCount: `${count}`,
    AmountSum: `${sum}`,
    SequenceMin: `${min}`,
    SequenceMax: `${max}`,
    LastSequence: `${last}`,
    LastVersion: `${lastVersion}`,
  };
}

function childRows(parents: ReadonlyMap<string, { readonly children: ReadonlyMap<string, bigint> }>) {
  const rows = new Map<string, TableRow>();
  for (const [EventKey, { children }] of parents) {
    for (const [slot, sequence] of children) {
      rows.set(keyOf([EventKey, slot]), { EventKey, Slot: slot, Sequence: `${sequence}` });
    }
  }
  return rows;
}
