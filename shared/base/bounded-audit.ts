import { type AuditEntry, type AuditOutcome, audit } from './audit.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Log } from './log.ts';

const WINDOW_MS = 60_000;
const LINES_PER_REASON = 10;
/** Who is behind what was only counted: many, or nobody who is known. */
const VARIOUS = 'various';

/** An audit entry of which there may be thousands a second. */
export interface FrequentEntry extends AuditEntry {
  /** What it is counted by: one of few fixed texts, never a caller's own words. */
  readonly reason: string;
}

/** Audit lines of what strangers can cause at will. */
export interface BoundedAudit {
  /** Writes a line, or counts it once its reason has had its lines. */
  note(entry: FrequentEntry): void;
  /** Writes what was counted since the last time; for the end of the process. */
  flush(): void;
}

/** What bounds it, and the time it goes by. */
export interface BoundedAuditOptions {
  readonly linesPerReason?: number;
  readonly windowMs?: number;
  readonly clock?: Clock;
  /** Calls once, after so many milliseconds, unless the process has ended. */
  readonly later?: (delayMs: number, run: () => void) => void;
}

interface Counted {
  written: number;
  counted: number;
}

/**
 * Writes the first entries of each reason in a window as lines of their own, and one line at its end, for each outcome, that counts the
 * others by reason. A reason has lines of its own, so that one kind of noise hides no other.
 *
 * @param about what the counting lines are of
 */
export function boundedAudit(
  log: Log,
  about: Pick<AuditEntry, 'action' | 'resource' | 'details'>,
  options: BoundedAuditOptions = {},
): BoundedAudit {
  const {
    linesPerReason = LINES_PER_REASON,
    windowMs = WINDOW_MS,
    clock = systemClock,
    later = laterUnlessEnded,
  } = options;
  let open: { readonly sinceMs: number; readonly counts: Map<AuditOutcome, Map<string, Counted>> } | undefined;
  const flush = (): void => {
    const ended = open;
    open = undefined;
    for (const [outcome, reasons] of ended?.counts ?? []) {
      const left = [...reasons].flatMap(([reason, { counted }]): [string, number][] =>
        counted === 0 ? [] : [[reason, counted]],
      );
      if (left.length === 0) continue;
      const count = left.reduce((sum, [, counted]) => sum + counted, 0);
      const since = new Date(ended?.sinceMs ?? 0).toISOString();
      const details = { ...about.details, count, reasons: Object.fromEntries(left), since };
      audit(log, { ...about, identity: VARIOUS, outcome, details });
    }
  };
  const begin = () => {
    const begun: NonNullable<typeof open> = { sinceMs: clock(), counts: new Map() };
    open = begun;
    later(windowMs, () => {
      if (open === begun) flush();
    });
    return begun;
  };
  return {
    note({ reason, ...entry }) {
      const { counts } = open ?? begin();
      const reasons = entryOf(counts, entry.outcome, () => new Map<string, Counted>());
      const known = entryOf(reasons, reason, () => ({ written: 0, counted: 0 }));
      if (known.written >= linesPerReason) {
        known.counted += 1;
        return;
      }
      known.written += 1;
      audit(log, { ...entry, details: { ...entry.details, reason } });
    },
    flush,
  };
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key) ?? make();
  map.set(key, found);
  return found;
}

/** A window that is open keeps no process from its end. */
function laterUnlessEnded(delayMs: number, run: () => void): void {
  setTimeout(run, delayMs).unref();
}
