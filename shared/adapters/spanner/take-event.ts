import type { Database } from '@google-cloud/spanner';
import { type Cell, commitTimestampCell } from '../../model/events/cell.ts';
import type { Change, TableMutation } from '../../model/events/change.ts';
import type { CompiledPipeline } from '../../model/events/compile-pipeline.ts';
import { type DeadLetter, deadLetterMutation } from '../../model/events/dead-letter.ts';
import type { RawRecord } from '../../model/events/raw-record.ts';
import { resolveChanges } from '../../model/events/resolve-changes.ts';
import { readStored } from './read-stored.ts';
import { runTransaction, type TransactionReads } from './run-transaction.ts';

const RECEIPTS = 'PenstockReceipts';

/** One event of a subscription. */
export interface EventTaking {
  readonly compiled: CompiledPipeline;
  /** The same for every delivery of the same event. */
  readonly eventId: string;
  /** SHA-256 of everything in the event that a row can come from. */
  readonly payloadHash: Buffer;
  readonly record: RawRecord;
  readonly change: Change;
}

/**
 * `taken`: a row was written. `skipped`: the guard or a tombstone's policy says that there is nothing to write.
 * `set-aside`: a dead letter was written. `duplicate`: this event was taken before. `conflict`: another payload came under
 * an event id that was taken before; it was set aside.
 */
export type EventOutcome = 'taken' | 'skipped' | 'set-aside' | 'duplicate' | 'conflict';

/** Takes one event: its receipt is read, then written with the row or the dead letter in the same commit. */
export function takeEvent(database: Database, taking: EventTaking, deadlineMs: number): Promise<EventOutcome> {
  const { compiled, eventId } = taking;
  return runTransaction(database, {
    attempted: `take event ${eventId} for pipeline ${compiled.pipeline.name}`,
    table: compiled.table.name,
    commit: compiled.pipeline.commit,
    deadlineMs,
    run: (reads) => writeEvent(reads, taking),
  });
}

interface Written {
  readonly mutations: readonly TableMutation[];
  readonly result: EventOutcome;
}

async function writeEvent(reads: TransactionReads, taking: EventTaking): Promise<Written> {
  const { compiled, eventId, payloadHash } = taking;
  const hash = payloadHash.toString('base64');
  const [receipt] = await reads.read(RECEIPTS, [[compiled.pipeline.name, eventId]], ['PayloadHash']);
  if (receipt) return receipt[0] === hash ? { mutations: [], result: 'duplicate' } : conflict(taking);
  const { mutations, dead, rowCount } = resolveChanges(
    compiled,
    [taking.change],
    await readStored(reads, compiled, [taking.change]),
  );
  const poison = dead[0];
  const result = poison ? 'set-aside' : rowCount > 0 ? 'taken' : 'skipped';
  const letters = poison ? [deadLetterMutation([letterOf(taking, eventId, poison)])] : [];
  return { mutations: [...mutations, ...letters, receiptMutation(taking, hash, result)], result };
}

/** The first payload stands; every other one under the same id is kept once, for people to look at. */
function conflict(taking: EventTaking): Written {
  const { eventId, payloadHash } = taking;
  const reason = `Event ${eventId} was taken before with another payload`;
  const id = `${eventId.slice(0, 256)}/${payloadHash.toString('hex').slice(0, 32)}`;
  const letter = letterOf(taking, id, { poison: 'constraint', reason });
  return { mutations: [deadLetterMutation([letter])], result: 'conflict' };
}

function letterOf(
  { compiled, eventId, record }: EventTaking,
  id: string,
  { poison, reason }: Pick<DeadLetter, 'poison' | 'reason'>,
): DeadLetter {
  return { pipeline: compiled.pipeline.name, id, source: 'pubsub', eventId, record, poison, reason };
}

function receiptMutation({ compiled, eventId }: EventTaking, hash: string, outcome: EventOutcome): TableMutation {
  const row: Cell[] = [compiled.pipeline.name, eventId, hash, outcome, commitTimestampCell];
  return {
    operation: 'insert',
    table: RECEIPTS,
    columns: ['Pipeline', 'EventId', 'PayloadHash', 'Outcome', 'ReceivedAt'],
    rows: [row],
  };
}
