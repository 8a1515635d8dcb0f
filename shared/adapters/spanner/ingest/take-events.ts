import type { Clock } from '../../../base/clock.ts';
import { type CompiledPipeline, tableNames } from '../../../model/events/compile-pipeline.ts';
import { type DeadLetter, deadLetterMutation } from '../../../model/events/records/dead-letter.ts';
import type { MappedRecord } from '../../../model/events/records/mapped-record.ts';
import { pipelineVersion } from '../../../model/events/records/pipeline-version.ts';
import type { BatchVerdict } from '../../../model/events/records/poison-window.ts';
import type { TableMutation } from '../../../model/events/resolve/change.ts';
import { resolveBatch } from '../../../model/events/resolve/resolve-batch.ts';
import type { SpannerChannel } from '../channel.ts';
import { runTransaction, type TransactionReads } from '../run-transaction.ts';
import type { CommitWatch } from './commit-watch.ts';
import { readStored } from './read-stored.ts';
import { readReceipts, receiptMutations } from './receipts.ts';

/** One event of a subscription. */
export interface EventTaking {
  readonly compiled: CompiledPipeline;
  /** The same for every delivery of the same event. */
  readonly eventId: string;
  /** SHA-256 of everything in the event that a row can come from. */
  readonly payloadHash: Buffer;
  readonly mapped: MappedRecord;
}

/**
 * `taken`: a row was written. `skipped`: the guard or a tombstone's policy says that there is nothing to write.
 * `set-aside`: a dead letter was written. `duplicate`: this event was taken before. `conflict`: another payload came under
 * an event id that was taken before; it was set aside.
 */
export type EventOutcome = 'taken' | 'skipped' | 'set-aside' | 'duplicate' | 'conflict';

/**
 * Takes events of one pipeline in one commit: their receipts are read, then written with the rows and dead letters.
 *
 * @returns what became of each, in order
 */
export function takeEvents(
  channel: SpannerChannel,
  takings: readonly EventTaking[],
  { deadlineMs, now, admit, onRepeat }: CommitWatch & { readonly deadlineMs: number; readonly now: Clock },
): Promise<readonly EventOutcome[]> {
  const [first] = takings;
  if (!first) return Promise.resolve([]);
  const { compiled } = first;
  const more = takings.length > 1 ? ` and ${takings.length - 1} more` : '';
  return runTransaction(channel, {
    attempted: `take event ${first.eventId}${more} for pipeline ${compiled.pipeline.name}`,
    table: tableNames(compiled),
    commit: compiled.pipeline.commit,
    deadlineMs,
    onRepeat,
    run: async (reads) => {
      const { outcomes, letters, mutations } = await writeEvents(reads, compiled, takings, now());
      admit?.(verdictOf(outcomes, letters));
      return { mutations, result: outcomes };
    },
  });
}

/** A letter, and the place of its event among those taken. */
interface PlacedLetter {
  readonly at: number;
  readonly letter: DeadLetter;
}

interface Written {
  readonly mutations: readonly TableMutation[];
  readonly outcomes: readonly EventOutcome[];
  readonly letters: readonly PlacedLetter[];
}

async function writeEvents(
  reads: TransactionReads,
  compiled: CompiledPipeline,
  takings: readonly EventTaking[],
  nowMs: number,
): Promise<Written> {
  const { name } = compiled.pipeline;
  const eventIds = takings.map(({ eventId }) => eventId);
  const { hashes: known, expired } = await readReceipts(reads, name, eventIds, nowMs);
  const outcomes: EventOutcome[] = [];
  const letters: PlacedLetter[] = [];
  const fresh: { readonly taking: EventTaking; readonly at: number }[] = [];
  for (const [at, taking] of takings.entries()) {
    const hash = hashOf(taking);
    const receipt = known.get(taking.eventId);
    // The next delivery of the same event may be in the same group.
    known.set(taking.eventId, receipt ?? hash);
    outcomes[at] = receipt === undefined ? 'taken' : receipt === hash ? 'duplicate' : 'conflict';
    if (outcomes[at] === 'conflict') letters.push({ at, letter: conflictLetter(taking) });
    if (outcomes[at] === 'taken') fresh.push({ taking, at });
  }
  const mapped = fresh.map(({ taking }) => taking.mapped);
  const { mutations, dead, skippedAt } = resolveBatch(compiled, mapped, await readStored(reads, compiled, mapped));
  for (const at of skippedAt) setOutcome(outcomes, fresh[at], 'skipped');
  for (const poison of dead) {
    const taken = fresh[poison.at];
    setOutcome(outcomes, taken, 'set-aside');
    if (taken) letters.push({ at: taken.at, letter: letterOf(taken.taking, taken.taking.eventId, poison) });
  }
  const receipts = fresh.map(({ taking, at }) => {
    return { eventId: taking.eventId, hash: hashOf(taking), outcome: outcomes[at] ?? 'taken' };
  });
  return {
    mutations: [
      ...mutations,
      ...(letters.length > 0 ? [deadLetterMutation(letters.map(({ letter }) => letter))] : []),
      ...receiptMutations(name, receipts, { expired }),
    ],
    outcomes,
    letters,
  };
}

/** What was taken before is no record of this batch. */
function verdictOf(outcomes: readonly EventOutcome[], letters: readonly PlacedLetter[]): BatchVerdict {
  const places: number[] = [];
  let recordCount = 0;
  for (const outcome of outcomes) places.push(outcome === 'duplicate' ? recordCount : recordCount++);
  const dead = letters.map(({ at, letter: { id, poison, reason } }) => ({ at: places[at] ?? 0, id, poison, reason }));
  return { recordCount, dead: dead.sort((a, b) => a.at - b.at) };
}

function setOutcome(outcomes: EventOutcome[], taken: { readonly at: number } | undefined, outcome: EventOutcome): void {
  if (taken) outcomes[taken.at] = outcome;
}

function hashOf({ payloadHash }: EventTaking): string {
  return payloadHash.toString('base64');
}

/** The first payload stands; every other one under the same id is kept once, for people to look at. */
function conflictLetter(taking: EventTaking): DeadLetter {
  const { eventId, payloadHash } = taking;
  const reason = `Event ${eventId} was taken before with another payload`;
  const id = `${eventId.slice(0, 256)}/${payloadHash.toString('hex').slice(0, 32)}`;
  return letterOf(taking, id, { poison: 'conflict', reason });
}

function letterOf(
  { compiled, eventId, mapped: { record } }: EventTaking,
  id: string,
  { poison, reason }: Pick<DeadLetter, 'poison' | 'reason'>,
): DeadLetter {
  const from = { pipeline: compiled.pipeline.name, pipelineVersion: pipelineVersion(compiled.pipeline) };
  return { ...from, id, source: 'pubsub', eventId, record, poison, reason };
}
