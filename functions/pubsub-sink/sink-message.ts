import type { EventStore } from '../../shared/adapters/spanner/ingest/event-store.ts';
import type { EventOutcome, EventTaking } from '../../shared/adapters/spanner/ingest/take-events.ts';
import { ConstraintError } from '../../shared/adapters/spanner/spanner-errors.ts';
import { type Clock, systemClock } from '../../shared/base/clock.ts';
import { messageOf, PenstockError } from '../../shared/base/errors.ts';
import type { Pipeline } from '../../shared/model/config/declaration.ts';
import type { CompiledPipeline } from '../../shared/model/events/compile-pipeline.ts';
import type { MappedRecord } from '../../shared/model/events/records/mapped-record.ts';
import type { BatchVerdict } from '../../shared/model/events/records/poison-window.ts';
import { recordBytes } from '../../shared/model/events/records/raw-record.ts';
import type { SchemaBook } from '../../shared/model/formats/schema-book.ts';
import { compiledPipelines } from './compiled-pipelines.ts';
import { type GroupLimits, groupCommits } from './group-commits.ts';
import { limitPoison } from './limit-poison.ts';
import { type PushMessage, payloadHash, recordOf } from './push-envelope.ts';

/** Messages that come while others are being committed share the next commit, up to these bounds. */
const GROUP_LIMITS: GroupLimits = { maxItems: 256, maxBytes: 4 * 1024 * 1024 };

/** Takes a message into one pipeline's table, once. */
export type SinkMessage = (pipeline: Pipeline, message: PushMessage) => Promise<EventOutcome>;

/** A message is poison, and the pipeline says `onPoison: stop`: it is not acknowledged. */
export class PoisonStopError extends PenstockError {
  constructor(pipeline: string, messageId: string, poison: string, reason: string) {
    super(`Pipeline ${pipeline} stops at message ${messageId}, which is ${poison}: ${reason}`, {
      code: 'POISON_STOP',
      remedy: 'Correct the pipeline or the table, or set onPoison: set-aside',
      retryable: false,
    });
  }
}

/**
 * Makes the taking of messages. Tables are read at a pipeline's first message, now and then after it, and when Spanner
 * refuses a row.
 *
 * @throws {ConfigError} from that function, when pipeline and table do not fit
 * @throws {StoreUnavailableError} from that function: deliver the message again
 * @throws {RegistryUnavailableError} from that function: deliver the message again
 * @throws {PoisonShareError} from that function, when the pipeline has stopped: deliver the message again, later
 */
export function messageSink(store: EventStore, clock: Clock = systemClock, schemas?: SchemaBook): SinkMessage {
  const compiled = compiledPipelines(store, clock, schemas);
  const stores = new Map<string, EventStore>();
  const limited = (pipeline: Pipeline): EventStore => {
    const held = stores.get(pipeline.name) ?? limitPoison(store, pipeline, clock);
    stores.set(pipeline.name, held);
    return held;
  };
  const groups = new WeakMap<CompiledPipeline, Take>();
  const grouped = (ready: CompiledPipeline): Take => {
    const held = groups.get(ready) ?? takeInGroups(limited(ready.pipeline), ready.pipeline);
    groups.set(ready, held);
    return held;
  };
  return async (pipeline, message) => {
    const ready = await compiled.get(pipeline);
    try {
      return await take(grouped(ready), ready, message, undefined);
    } catch (error) {
      if (!(error instanceof ConstraintError)) throw error;
      compiled.forget(pipeline);
      const again = await compiled.get(pipeline);
      const changed = tablesOf(again) !== tablesOf(ready);
      return await take(grouped(again), again, message, changed ? undefined : error);
    }
  };
}

type Take = (taking: EventTaking) => Promise<EventOutcome>;

/**
 * Commits in groups; a group that Spanner refuses, or that holds poison at which the pipeline stops, is taken one by one, so
 * that each message is answered for itself.
 */
function takeInGroups(store: EventStore, { name, onPoison }: Pipeline): Take {
  const takeAll = (takings: readonly EventTaking[]): Promise<readonly EventOutcome[]> => {
    if (onPoison === 'set-aside') return store.takeEvents(takings);
    const admit = ({ dead: [found] }: BatchVerdict): void => {
      if (found) throw new PoisonStopError(name, found.id, found.poison, found.reason);
    };
    return store.takeEvents(takings, { admit });
  };
  const takeGrouped = groupCommits(takeAll, GROUP_LIMITS);
  return async (taking) => {
    try {
      return await takeGrouped(taking, recordBytes(taking.mapped.record));
    } catch (error) {
      if (!(error instanceof ConstraintError || error instanceof PoisonStopError)) throw error;
      const [outcome] = await takeAll([taking]);
      if (outcome === undefined) throw error;
      return outcome;
    }
  };
}

/** @param refusal what Spanner said to the row that the message maps to: the message is poison then */
async function take(
  takeOne: Take,
  compiled: CompiledPipeline,
  message: PushMessage,
  refusal: ConstraintError | undefined,
): Promise<EventOutcome> {
  const { pipeline } = compiled;
  const record = recordOf(message);
  await compiled.prepare([record]);
  const mapped = refusal ? refused(compiled.map(record), refusal) : compiled.map(record);
  const { change } = mapped;
  if (change.kind === 'poison' && pipeline.onPoison === 'stop') {
    throw new PoisonStopError(pipeline.name, message.messageId, change.poison, change.reason);
  }
  return takeOne({ compiled, eventId: message.messageId, payloadHash: payloadHash(message), mapped });
}

function refused({ record, target }: MappedRecord, refusal: ConstraintError): MappedRecord {
  return { record, target, change: { kind: 'poison', poison: 'constraint', reason: messageOf(refusal.cause) } };
}

function tablesOf({ targets }: CompiledPipeline): string {
  return JSON.stringify(targets.map(({ table }) => table));
}
