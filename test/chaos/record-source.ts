import type { Random } from './random.ts';

/** Keys of ordinary records. */
const KEYS = 64;
/** Keys whose child rows never get a parent. */
const ORPHANS = 4;
const DUPLICATE_SHARE = 0.05;
const TOMBSTONE_SHARE = 0.03;
/** Spanner takes no key of more bytes than 8,192. */
const OVERLONG_KEY = 'k'.repeat(9_000);
const SLOTS = 8;
const HOURS = 6;
const HOUR_MS = 3_600_000;
const FIRST_HOUR_MS = Date.UTC(2026, 0, 1);

/** One record as it goes to the topic. */
export interface SentRecord {
  readonly key: string;
  /** Null for a tombstone. */
  readonly value: string | null;
  readonly headers: { readonly version: string; readonly type: 'parent' | 'child' | 'neither' };
  /** The same for every record of a key, so that a key has one partition. */
  readonly place: number;
}

interface KeyState {
  sequence: number;
  version: number;
  hasParent: boolean;
}

/** What a source gives. */
export interface RecordOptions {
  /** Of the keys; two sources of the same keys would disturb each other's order. */
  readonly prefix: string;
  /** Records that some table must refuse. */
  readonly poisonShare: number;
  /** Of the records of a key whose parent is there. */
  readonly childShare: number;
}

/** Values that no pipeline can take. */
const BROKEN = ['{"sequence": 1', '{"other": 1}', '{"sequence": "many"}'] as const;
type Flaw = 'broken' | 'overlong-key' | 'negative' | 'same-token' | 'orphan' | 'unrouted';
const FLAWS = ['broken', 'overlong-key', 'negative', 'same-token', 'orphan', 'unrouted'] as const;

/**
 * Records of 64 keys: sequences that grow, versions that come out of order and twice, tombstones, parents before their
 * children; and now and then one that some table must refuse.
 */
export function recordSource(random: Random, { prefix, poisonShare, childShare }: RecordOptions): () => SentRecord {
  const states = Array.from({ length: KEYS }, (): KeyState => ({ sequence: 0, version: 0, hasParent: false }));
  let serial = 0;
  const valueText = (state: KeyState, changes: { readonly amount?: number; readonly token?: string } = {}): string => {
    serial += 1;
    const isDuplicate = state.sequence > 0 && random.next() < DUPLICATE_SHARE;
    if (!isDuplicate) state.sequence += 1;
    const sequence = isDuplicate ? random.between(1, state.sequence + 1) : state.sequence;
    const at = new Date(FIRST_HOUR_MS + random.between(0, HOURS * HOUR_MS)).toISOString();
    // Beyond what a double holds exactly.
    const version = `9007199254${String(state.version).padStart(8, '0')}`;
    const { amount = random.between(0, 1_000), token = `${prefix}:${serial}` } = changes;
    return `{"sequence":${sequence},"amount":${amount},"version":${version},"slot":${sequence % SLOTS},"at":"${at}","token":"${token}"}`;
  };
  return () => {
    const place = random.between(0, KEYS);
    const state = states[place] ?? { sequence: 0, version: 0, hasParent: false };
    const key = `${prefix}-${place}`;
    // Some come late, some twice.
    const version = Math.max(1, state.version + random.between(-2, 4));
    state.version = Math.max(state.version, version);
    const record = (value: string | null, type: SentRecord['headers']['type'], name = key): SentRecord => {
      return { key: name, value, headers: { version: String(version), type }, place };
    };
    const ordinary = (): SentRecord['headers']['type'] => {
      if (state.hasParent && random.next() < childShare) return 'child';
      state.hasParent = true;
      return 'parent';
    };
    if (random.next() < poisonShare) {
      const flaw: Flaw = random.pick(FLAWS);
      if (flaw === 'broken') return record(random.pick(BROKEN), state.hasParent ? 'child' : 'parent');
      if (flaw === 'overlong-key') return { ...record(valueText(state), 'parent', OVERLONG_KEY), place: 0 };
      if (flaw === 'negative') return record(valueText(state, { amount: -1 }), ordinary());
      if (flaw === 'same-token') return record(valueText(state, { token: `once:${key}` }), ordinary());
      if (flaw === 'unrouted') return record(valueText(state), 'neither');
      return { ...record(valueText(state), 'child', `orphan-${prefix}-${place % ORPHANS}`), place: place % ORPHANS };
    }
    if (random.next() < TOMBSTONE_SHARE) {
      state.hasParent = false;
      return record(null, 'parent');
    }
    return record(valueText(state), ordinary());
  };
}
