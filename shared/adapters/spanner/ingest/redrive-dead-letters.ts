import { messageOf } from '../../../base/errors.ts';
import { type CompiledPipeline, tableNames } from '../../../model/events/compile-pipeline.ts';
import { cutReason } from '../../../model/events/records/dead-letter.ts';
import type { MappedRecord } from '../../../model/events/records/mapped-record.ts';
import { pipelineVersion } from '../../../model/events/records/pipeline-version.ts';
import type { PoisonClass } from '../../../model/events/records/poison.ts';
import type { TableMutation } from '../../../model/events/resolve/change.ts';
import { prefixLength } from '../../../model/events/resolve/commit-cost.ts';
import { resolveBatch } from '../../../model/events/resolve/resolve-batch.ts';
import { type Cell, commitTimestampCell } from '../../../model/events/values/cell.ts';
import type { SpannerChannel } from '../channel.ts';
import { runTransaction, type TransactionReads } from '../run-transaction.ts';
import { ConstraintError } from '../spanner-errors.ts';
import { letterColumns, letterOf, type StoredDeadLetter } from './dead-letter-store.ts';
import { readStored } from './read-stored.ts';

const TABLE = 'PenstockDeadLetters';

/**
 * `redriven`: its row is in the table now. `skipped`: the guard or a policy says that there is nothing to write.
 * `already-redriven`: somebody was faster. `unknown`: there is no such letter. `poison`: it still is, and waits on.
 */
export type RedriveOutcome =
  | { readonly outcome: 'redriven' | 'skipped' | 'already-redriven' | 'unknown' }
  | { readonly outcome: 'poison'; readonly class: PoisonClass; readonly reason: string };

export interface RedriveOptions {
  /** Who redrives: kept in the letter's row. */
  readonly by: string;
}

/**
 * Sends dead letters of one pipeline through it again, in this order: their rows and the marks that they were redriven commit
 * together, so that each counts once, however often and by how many it is tried.
 *
 * The pipeline's guard, policies and aggregates hold as for any record. What Spanner refuses is halved until the letter at
 * fault is left; it stays, with today's reason.
 *
 * @returns what became of the first letters, at least one: as many as fit into one commit
 * @throws {StoreUnavailableError} when it is not known what was committed: the same letters may be redriven again
 */
export async function redriveDeadLetters(
  channel: SpannerChannel,
  compiled: CompiledPipeline,
  ids: readonly string[],
  options: RedriveOptions,
): Promise<readonly RedriveOutcome[]> {
  try {
    return await redriveTogether(channel, compiled, ids, options, undefined);
  } catch (error) {
    if (!(error instanceof ConstraintError)) throw error;
    if (ids.length === 1) return await redriveTogether(channel, compiled, ids, options, messageOf(error.cause));
    return await redriveDeadLetters(channel, compiled, ids.slice(0, Math.ceil(ids.length / 2)), options);
  }
}

/** @param refusal what Spanner said to the only letter's row */
async function redriveTogether(
  channel: SpannerChannel,
  compiled: CompiledPipeline,
  ids: readonly string[],
  { by }: RedriveOptions,
  refusal: string | undefined,
): Promise<readonly RedriveOutcome[]> {
  const { name, commit } = compiled.pipeline;
  const more = ids.length > 1 ? ` and ${ids.length - 1} more` : '';
  return await runTransaction(channel, {
    attempted: `redrive dead letter ${ids[0]}${more} of pipeline ${name}`,
    table: tableNames(compiled),
    commit,
    run: async (reads) => {
      const found = await readForRedriving(reads, name, ids);
      const letters = ids.map((id) => found.get(id));
      const open = letters
        .filter((letter) => letter?.redrivenAt === undefined)
        .filter((letter) => letter !== undefined);
      await compiled.prepare(open.map(({ record }) => record));
      const mapped = open.map((letter) => mapLetter(compiled, letter, refusal));
      const count = open.length === 0 ? 0 : prefixLength(compiled, mapped, 0);
      const { mutations, outcomes } = await redrive(reads, compiled, open.slice(0, count), mapped.slice(0, count), by);
      return { mutations, result: outcomesOf(letters, outcomes, count < open.length ? open[count] : undefined) };
    },
  });
}

/** @param cut the first letter that did not fit any more */
function outcomesOf(
  letters: readonly (StoredDeadLetter | undefined)[],
  outcomes: ReadonlyMap<StoredDeadLetter, RedriveOutcome>,
  cut: StoredDeadLetter | undefined,
): RedriveOutcome[] {
  const taken = cut ? letters.slice(0, letters.indexOf(cut)) : letters;
  return taken.map((letter) => {
    if (!letter) return { outcome: 'unknown' };
    return outcomes.get(letter) ?? { outcome: 'already-redriven' };
  });
}

async function readForRedriving(
  reads: TransactionReads,
  pipeline: string,
  ids: readonly string[],
): Promise<Map<string, StoredDeadLetter>> {
  const read = async (keys: readonly (readonly [string, number])[]) => {
    const rows = await reads.read(
      TABLE,
      keys.map(([id, part]) => [pipeline, id, String(part)]),
      letterColumns,
    );
    return rows.map((row) => Object.fromEntries(letterColumns.map((name, at) => [name, row[at] ?? null])));
  };
  const heads = await read(ids.map((id) => [id, 0]));
  const letters = new Map<string, StoredDeadLetter>();
  for (const head of heads) {
    const id = String(head.DeadLetterId);
    const furtherParts = Array.from({ length: Number(head.PartCount) - 1 }, (_, at): [string, number] => [id, at + 1]);
    const letter = letterOf([head, ...(await read(furtherParts))]);
    if (letter) letters.set(id, letter);
  }
  return letters;
}

function mapLetter(compiled: CompiledPipeline, letter: StoredDeadLetter, refusal: string | undefined): MappedRecord {
  const mapped = compiled.map(letter.record);
  if (refusal !== undefined && mapped.change.kind !== 'poison') return asPoison(mapped, 'constraint', refusal);
  if (letter.isWhole) return mapped;
  return asPoison(
    mapped,
    'too-large',
    'The headers were too large to be kept: the record cannot be sent again from here',
  );
}

function asPoison({ record, target }: MappedRecord, poison: PoisonClass, reason: string): MappedRecord {
  return { record, target, change: { kind: 'poison', poison, reason } };
}

async function redrive(
  reads: TransactionReads,
  compiled: CompiledPipeline,
  letters: readonly StoredDeadLetter[],
  mapped: readonly MappedRecord[],
  by: string,
): Promise<{ mutations: TableMutation[]; outcomes: Map<StoredDeadLetter, RedriveOutcome> }> {
  const outcomes = new Map<StoredDeadLetter, RedriveOutcome>();
  if (letters.length === 0) return { mutations: [], outcomes };
  const { mutations, dead, skippedAt } = resolveBatch(compiled, mapped, await readStored(reads, compiled, mapped));
  for (const letter of letters) outcomes.set(letter, { outcome: 'redriven' });
  for (const at of skippedAt) setAt(at, { outcome: 'skipped' });
  for (const { at, poison, reason } of dead) setAt(at, { outcome: 'poison', class: poison, reason });
  function setAt(at: number, outcome: RedriveOutcome): void {
    const letter = letters[at];
    if (letter) outcomes.set(letter, outcome);
  }
  return { mutations: [...mutations, ...marks(compiled, outcomes, by)], outcomes };
}

/** What a trial leaves in the letters' own rows. */
function marks(
  { pipeline }: CompiledPipeline,
  outcomes: ReadonlyMap<StoredDeadLetter, RedriveOutcome>,
  by: string,
): TableMutation[] {
  const version = pipelineVersion(pipeline);
  const taken: Cell[][] = [];
  const kept: Cell[][] = [];
  for (const [letter, outcome] of outcomes) {
    const trial = [pipeline.name, letter.id, '0', String(letter.attemptCount + 1), commitTimestampCell, version];
    if (outcome.outcome === 'poison') kept.push([...trial, outcome.class, cutReason(outcome.reason)]);
    else taken.push([...trial, commitTimestampCell, by]);
  }
  const trial = ['Pipeline', 'DeadLetterId', 'Part', 'AttemptCount', 'AttemptedAt', 'PipelineVersion'];
  const update = (more: readonly string[], rows: Cell[][]): TableMutation[] =>
    rows.length === 0 ? [] : [{ operation: 'update', table: TABLE, columns: [...trial, ...more], rows }];
  return [...update(['RedrivenAt', 'RedrivenBy'], taken), ...update(['Class', 'Reason'], kept)];
}
