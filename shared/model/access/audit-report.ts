/** A parsed audit line, as the log has it. */
type Line = Readonly<Record<string, unknown>>;

/** From when, and until before when, in milliseconds since 1970. */
export interface Period {
  readonly fromMs: number;
  readonly toMs: number;
}

/** How often somebody did something to something, and when first and last. */
export interface Use {
  readonly identity: string;
  readonly action: string;
  readonly resource: string;
  readonly outcome: string;
  readonly count: number;
  /** Rows that were read or written, where the lines count them. */
  readonly rows: number | undefined;
  /** RFC 3339, as the log has it. */
  readonly first: string;
  readonly last: string;
}

/** What somebody asked for that needs a second person, and what became of it within the period. */
export interface ReviewedChange {
  readonly approval: string;
  readonly asked: string;
  readonly resource: string;
  readonly requestedBy: string;
  /** Who said yes or no; undefined while nobody has. */
  readonly decidedBy: string | undefined;
  /** `request`, `approve`, `deny`, `start`, `finish`, in their order, each with how it came out. */
  readonly steps: readonly { readonly step: string; readonly time: string; readonly outcome: string }[];
}

const APPROVAL = 'approval.';

/** The lines of a period; those whose time cannot be read belong to none. */
export function linesWithin(lines: Iterable<Line>, { fromMs, toMs }: Period): Line[] {
  return [...lines].filter(({ time }) => {
    const ms = Date.parse(String(time));
    return ms >= fromMs && ms < toMs;
  });
}

/** Who did what to what, one entry for each of the same outcome, ordered by who. A line may stand for several (`count`). */
export function reportUses(lines: Iterable<Line>): Use[] {
  const uses = new Map<string, Use>();
  for (const line of lines) {
    const [identity, action, resource, outcome, time] = [
      line.identity,
      line.action,
      line.resource,
      line.outcome,
      line.time,
    ].map(String) as [string, string, string, string, string];
    const key = JSON.stringify([identity, action, resource, outcome]);
    const known = uses.get(key);
    const rows = typeof line.rows === 'number' ? (known?.rows ?? 0) + line.rows : known?.rows;
    const count = (known?.count ?? 0) + (typeof line.count === 'number' ? line.count : 1);
    const first = known && known.first < time ? known.first : time;
    const last = known && known.last > time ? known.last : time;
    uses.set(key, { identity, action, resource, outcome, count, rows, first, last });
  }
  const order = ({ identity, action, resource, outcome }: Use): string =>
    JSON.stringify([identity, action, resource, outcome]);
  return [...uses.values()].sort((one, other) => (order(one) < order(other) ? -1 : 1));
}

/** Each request for a second person of which a line tells, with who asked, who decided and what became of it. */
export function reportReviewed(lines: Iterable<Line>): ReviewedChange[] {
  const changes = new Map<string, ReviewedChange>();
  for (const line of lines) {
    const action = String(line.action);
    if (!action.startsWith(APPROVAL)) continue;
    const approval = String(line.approval);
    const known = changes.get(approval);
    const step = { step: action.slice(APPROVAL.length), time: String(line.time), outcome: String(line.outcome) };
    changes.set(approval, {
      approval,
      asked: String(line.asked),
      resource: String(line.resource),
      requestedBy: String(line.requestedBy),
      decidedBy: typeof line.decidedBy === 'string' ? line.decidedBy : known?.decidedBy,
      steps: [...(known?.steps ?? []), step].sort((one, other) => Date.parse(one.time) - Date.parse(other.time)),
    });
  }
  return [...changes.values()];
}
