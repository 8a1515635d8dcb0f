import type { TableMutation } from '../../../model/events/resolve/change.ts';
import { type Cell, commitTimestampCell } from '../../../model/events/values/cell.ts';
import type { TransactionReads } from '../run-transaction.ts';

const RECEIPTS = 'PenstockReceipts';
const COLUMNS = ['Pipeline', 'EventId', 'PayloadHash', 'Outcome', 'ReceivedAt'];

/** The row deletion policy of PenstockReceipts. Spanner deletes within 72 hours after that. */
export const receiptDays = 30;
const KEPT_MS = receiptDays * 24 * 3_600_000;

/** What is known of event ids. */
export interface Receipts {
  /** Payload hashes, in base64, of the events that were taken before. */
  readonly hashes: Map<string, string>;
  /** Ids whose receipt is over its time and only not deleted yet: it counts as deleted. */
  readonly expired: ReadonlySet<string>;
}

/** Reads the receipts of events, under the transaction's locks. */
export async function readReceipts(
  reads: TransactionReads,
  pipeline: string,
  eventIds: readonly string[],
  nowMs: number,
): Promise<Receipts> {
  const keys = [...new Set(eventIds)].map((eventId) => [pipeline, eventId]);
  const hashes = new Map<string, string>();
  const expired = new Set<string>();
  for (const row of await reads.read(RECEIPTS, keys, ['EventId', 'PayloadHash', 'ReceivedAt'])) {
    const [eventId, hash, receivedAt] = row.map(String);
    if (eventId === undefined || hash === undefined) continue;
    if (Date.parse(receivedAt ?? '') < nowMs - KEPT_MS) expired.add(eventId);
    else hashes.set(eventId, hash);
  }
  return { hashes, expired };
}

/** One receipt to write. */
export interface Receipt {
  readonly eventId: string;
  /** In base64. */
  readonly hash: string;
  readonly outcome: string;
}

/** Receipts of events that are taken now; one that has expired is replaced, every other one must be new. */
export function receiptMutations(
  pipeline: string,
  receipts: readonly Receipt[],
  { expired }: Pick<Receipts, 'expired'>,
): TableMutation[] {
  const rowsOf = (isOld: boolean): Cell[][] =>
    receipts
      .filter(({ eventId }) => expired.has(eventId) === isOld)
      .map(({ eventId, hash, outcome }) => [pipeline, eventId, hash, outcome, commitTimestampCell]);
  return (['insert', 'replace'] as const).flatMap((operation): TableMutation[] => {
    const rows = rowsOf(operation === 'replace');
    return rows.length === 0 ? [] : [{ operation, table: RECEIPTS, columns: COLUMNS, rows }];
  });
}
