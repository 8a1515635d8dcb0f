import { createHash, randomUUID } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';

/** What ties an audit line to the one before it in the same process. */
export interface AuditLink {
  /** The process that wrote it. */
  readonly chain: string;
  /** From 1, without a gap. */
  readonly sequence: number;
  /** The hash of the line before; empty for the first. */
  readonly previous: string;
  /** SHA-256 of all the line's own fields and these. */
  readonly hash: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** What the log adds to a line: not of the chain. */
const OF_THE_LOG = new Set(['severity', 'time', 'component', 'message', 'logging.googleapis.com/labels', 'hash']);

/** Makes the links of one process' lines. */
export function auditChain(chain: string = randomUUID()): (fields: Fields) => AuditLink {
  let sequence = 0;
  let previous = '';
  return (fields) => {
    sequence += 1;
    const link = { chain, sequence, previous };
    const hash = hashOf({ ...ownFields(fields), ...link });
    previous = hash;
    return { ...link, hash };
  };
}

/**
 * Finds what is missing, changed or out of its place among audit lines, as the log has them.
 *
 * @param lines parsed lines, of any number of processes, those of one in the order in which it wrote them
 * @returns one sentence for each; none when every chain is whole from its first line here
 */
export function findAuditGaps(lines: Iterable<Fields>): string[] {
  const ends = new Map<string, { readonly sequence: number; readonly hash: string }>();
  const found: string[] = [];
  for (const line of lines) {
    const { chain, sequence, previous, hash } = line;
    if (typeof chain !== 'string' || typeof sequence !== 'number' || typeof hash !== 'string') {
      found.push(`A line of ${String(line.action)} at ${String(line.time)} is in no chain`);
      continue;
    }
    const place = `line ${sequence} of ${chain}`;
    if (hashOf(ownFields(line)) !== hash) found.push(`${place} was changed`);
    const before = ends.get(chain);
    if (before && sequence !== before.sequence + 1) {
      found.push(
        `${place} comes after line ${before.sequence}: lines between them are missing, or it is out of its place`,
      );
    } else if (before && previous !== before.hash) {
      found.push(`${place} does not follow the line before it`);
    }
    ends.set(chain, { sequence, hash });
  }
  return found;
}

function ownFields(line: Fields): Fields {
  return Object.fromEntries(Object.entries(line).filter(([name]) => !OF_THE_LOG.has(name)));
}

function hashOf(fields: Fields): string {
  return createHash('sha256')
    .update(canonicalJson(JSON.parse(JSON.stringify(fields, plain))))
    .digest('base64url');
}

/** As the log writes it. */
function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
