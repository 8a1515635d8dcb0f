import { RegistryUnavailableError } from '../../shared/adapters/registry/registry-error.ts';
import type { BatchOutcome, EventStore } from '../../shared/adapters/spanner/ingest/event-store.ts';
import { tablesChanged } from '../../shared/adapters/spanner/ingest/open-pipeline.ts';
import { ConstraintError, StoreUnavailableError } from '../../shared/adapters/spanner/spanner-errors.ts';
import { messageOf, PenstockError } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import { type CompiledPipeline, tableNames } from '../../shared/model/events/compile-pipeline.ts';
import type { MappedRecord } from '../../shared/model/events/records/mapped-record.ts';
import type { BatchVerdict, PoisonFound } from '../../shared/model/events/records/poison-window.ts';
import type { RawRecord } from '../../shared/model/events/records/raw-record.ts';
import { prefixLength } from '../../shared/model/events/resolve/commit-cost.ts';
import type { BatchSize } from './batch-size.ts';
import { pause, retryDelays } from './retry-delays.ts';

/** A partition whose worker is silent for longer may be given to another one. */
const MAX_REGISTRY_PAUSE_MS = 5_000;

/** The table is no longer what the pipeline was compiled for: read it again. */
export class TableChangedError extends PenstockError {
  constructor(table: string) {
    super(`Table ${table} has changed since the pipeline was compiled for it`, {
      code: 'TABLE_CHANGED',
      remedy: 'Nothing to do: the pipeline is checked and compiled again',
      retryable: true,
    });
  }
}

/** A record is poison, and the pipeline says `onPoison: stop`. */
export class PoisonStopError extends PenstockError {
  constructor(pipeline: string, record: RawRecord, poison: string, reason: string) {
    const place = `${record.topic}/${record.partition}/${record.offset}`;
    super(`Pipeline ${pipeline} stops at record ${place}, which is ${poison}: ${reason}`, {
      code: 'POISON_STOP',
      remedy: 'Correct the pipeline or the table, or set onPoison: set-aside',
      retryable: false,
    });
  }
}

/** Found inside a transaction, which it ends: the pipeline says `onPoison: stop`. */
class PoisonMet extends Error {
  readonly found: PoisonFound;

  constructor(found: PoisonFound) {
    super(found.reason);
    this.found = found;
  }
}

function refuseAny({ dead: [found] }: BatchVerdict): void {
  if (found) throw new PoisonMet(found);
}

/** Who commits, and where to. */
export interface CommitContext {
  readonly store: EventStore;
  readonly compiled: CompiledPipeline;
  /** Shared by the partitions of a pipeline. */
  readonly size: BatchSize;
  readonly topicId: string;
  readonly fence: bigint;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Called while a commit takes long; throws when the partition is being taken away. */
  readonly keepAlive: () => Promise<void>;
}

/** Records of one partition that follow each other: all that the log has in `[fromOffset, toOffset)`. */
export interface RecordRun {
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: bigint;
  readonly toOffset: bigint;
  readonly records: readonly RawRecord[];
  readonly highWatermark: bigint;
}

/**
 * Commits a run of records in contiguous prefixes, each within Spanner's and the pipeline's limits.
 *
 * @param onCommit called after each commit, with how far the partition stands
 * @throws {FencedError} when another worker took the partition
 * @throws {TableChangedError} when rows are refused because the table has changed
 * @throws {PoisonStopError} at the first poison of a pipeline that stops there
 */
export async function commitRecords(
  context: CommitContext,
  run: RecordRun,
  onCommit: (outcome: BatchOutcome) => void,
): Promise<void> {
  const { compiled, size, signal } = context;
  await prepareRecords(context, run.records);
  const mapped = compiled.mapAll(run.records);
  let from = run.fromOffset;
  for (let at = 0; at < mapped.length && !signal.aborted; ) {
    const count = prefixLength(compiled, mapped, at, { maxRows: size.limit() });
    const prefix = upToPoison(compiled, mapped.slice(at, at + count));
    const isLast = at + prefix.length === mapped.length;
    const toOffset = isLast ? run.toOffset : endOf(prefix, from);
    const startedAt = performance.now();
    await commitPrefix(context, { ...run, fromOffset: from, toOffset, mapped: prefix }, onCommit);
    size.committed(prefix.length, performance.now() - startedAt);
    from = toOffset;
    at += prefix.length;
    if (!isLast) await context.keepAlive();
  }
}

/** Waits for the schemas of records for as long as the registry cannot be asked, or the worker is to end. */
async function prepareRecords(
  { compiled, signal, log, keepAlive }: CommitContext,
  records: readonly RawRecord[],
): Promise<void> {
  const delays = retryDelays();
  for (;;) {
    try {
      return await compiled.prepare(records);
    } catch (error) {
      if (!(error instanceof RegistryUnavailableError) || signal.aborted) throw error;
      const delayMs = Math.max(delays.next().value, error.retryAfterMs ?? 0);
      log('WARNING', error.message, { cause: messageOf(error.cause), retryInMs: Math.round(delayMs) });
      await pause(Math.min(delayMs, MAX_REGISTRY_PAUSE_MS), signal);
      await keepAlive();
    }
  }
}

/** A pipeline that stops at poison commits what stands before it, and then stops. */
function upToPoison(compiled: CompiledPipeline, mapped: MappedRecord[]): MappedRecord[] {
  if (compiled.pipeline.onPoison === 'set-aside') return mapped;
  const at = mapped.findIndex(({ change }) => change.kind === 'poison');
  if (at > 0) return mapped.slice(0, at);
  const first = mapped[0];
  if (at === 0 && first?.change.kind === 'poison') {
    throw new PoisonStopError(compiled.pipeline.name, first.record, first.change.poison, first.change.reason);
  }
  return mapped;
}

type MappedRun = Omit<RecordRun, 'records'> & { readonly mapped: readonly MappedRecord[] };

function endOf(mapped: readonly MappedRecord[], otherwise: bigint): bigint {
  const last = mapped.at(-1);
  return last ? last.record.offset + 1n : otherwise;
}

/** Commits one prefix; what Spanner refuses is halved until only the record at fault is left, which is set aside. */
async function commitPrefix(
  context: CommitContext,
  run: MappedRun,
  onCommit: (outcome: BatchOutcome) => void,
): Promise<void> {
  try {
    onCommit(await commitOnce(context, run));
  } catch (error) {
    if (error instanceof PoisonMet) return await stopAt(context, run, error.found, onCommit);
    if (!(error instanceof ConstraintError)) throw error;
    await context.keepAlive();
    if (run.mapped.length > 1) {
      const half = Math.ceil(run.mapped.length / 2);
      const left = run.mapped.slice(0, half);
      const middle = endOf(left, run.fromOffset);
      await commitPrefix(context, { ...run, toOffset: middle, mapped: left }, onCommit);
      await commitPrefix(context, { ...run, fromOffset: middle, mapped: run.mapped.slice(half) }, onCommit);
      return;
    }
    await refuseChangedTable(context);
    onCommit(await commitOnce(context, { ...run, mapped: run.mapped.map((item) => asPoison(context, item, error)) }));
  }
}

/** Commits what stands before a record that the tables' rows make poison, then stops. */
async function stopAt(
  context: CommitContext,
  run: MappedRun,
  { id, poison, reason }: PoisonFound,
  onCommit: (outcome: BatchOutcome) => void,
): Promise<never> {
  const at = run.mapped.findIndex(({ record }) => id.endsWith(`/${record.offset}`));
  const item = run.mapped[at];
  if (!item) throw new Error(`Record ${id} is none of its batch`);
  const before = run.mapped.slice(0, at);
  if (at > 0)
    await commitPrefix(context, { ...run, toOffset: endOf(before, run.fromOffset), mapped: before }, onCommit);
  throw new PoisonStopError(context.compiled.pipeline.name, item.record, poison, reason);
}

function asPoison(
  { compiled }: CommitContext,
  { record, change, target }: MappedRecord,
  error: ConstraintError,
): MappedRecord {
  if (change.kind === 'poison') throw error;
  const reason = messageOf(error.cause);
  if (compiled.pipeline.onPoison === 'stop') {
    throw new PoisonStopError(compiled.pipeline.name, record, 'constraint', reason);
  }
  return { record, change: { kind: 'poison', poison: 'constraint', reason }, target };
}

/** Before a record is blamed, the table must be the one it was mapped for. */
async function refuseChangedTable(context: CommitContext): Promise<void> {
  const { store, compiled } = context;
  if (await untilSpannerAnswers(context, () => tablesChanged(store, compiled))) {
    throw new TableChangedError(tableNames(compiled));
  }
}

/** Commits until Spanner says what became of it, or the worker is to end. */
function commitOnce(context: CommitContext, run: MappedRun): Promise<BatchOutcome> {
  const { store, compiled, size, topicId, fence } = context;
  const stops = compiled.pipeline.onPoison === 'stop' ? { admit: refuseAny } : {};
  const batch = { ...run, ...stops, pipeline: compiled.pipeline.name, compiled, topicId, fence };
  const onRepeat = (why: string): void => void (why === 'aborted' && size.aborted());
  return untilSpannerAnswers(context, () => store.commit({ ...batch, onRepeat }));
}

/** Repeats what Spanner does not answer now, for as long as the partition is ours. */
async function untilSpannerAnswers<R>(
  { signal, log, keepAlive }: CommitContext,
  attempt: () => Promise<R>,
): Promise<R> {
  const delays = retryDelays();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || signal.aborted) throw error;
      const delayMs = delays.next().value;
      log('WARNING', error.message, { cause: messageOf(error.cause), retryInMs: Math.round(delayMs) });
      await pause(delayMs, signal);
      await keepAlive();
    }
  }
}
