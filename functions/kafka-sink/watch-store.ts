import type { BatchCommit, BatchOutcome, EventStore } from '../../shared/adapters/spanner/ingest/event-store.ts';
import { auditCommit } from '../../shared/adapters/telemetry/audit-commit.ts';
import { type BatchSpan, openBatchSpan } from '../../shared/adapters/telemetry/batch-span.ts';
import type { IngestMeter } from '../../shared/adapters/telemetry/ingest-meter.ts';
import type { Telemetry } from '../../shared/adapters/telemetry/telemetry.ts';
import { type Log, traceFields } from '../../shared/base/log.ts';
import type { PoisonClass } from '../../shared/model/events/records/poison.ts';
import type { LagWatch } from './watch-lag.ts';

export interface StoreWatch {
  /** Who commits. */
  readonly identity: string;
  readonly log: Log;
  /** Undefined where nobody receives figures and traces. */
  readonly telemetry: Telemetry | undefined;
  readonly lag: LagWatch | undefined;
}

/**
 * Looks on while batches are committed: an audit line of each commit's access, and, where telemetry has a receiver, its
 * figures, and its span with those of its attempts.
 */
export function watchStore(store: EventStore, { identity, log, telemetry, lag }: StoreWatch): EventStore {
  const projectId = store.database.split('/')[1] ?? '';
  return {
    ...store,
    async commit(batch) {
      const span = telemetry && openSpan(telemetry, batch);
      const trace = span ? traceFields(span.context, projectId) : {};
      const access = { identity, compiled: batch.compiled };
      let poison: readonly PoisonClass[] = [];
      const startedAt = performance.now();
      try {
        const outcome = await store.commit({
          ...batch,
          admit(verdict) {
            batch.admit?.(verdict);
            poison = verdict.dead.map((one) => one.poison);
            span?.attempt();
          },
          onRepeat(why) {
            batch.onRepeat?.(why);
            telemetry?.meter.repeated(batch, why);
            span?.repeat(why);
          },
        });
        if (telemetry) meter(telemetry.meter, batch, { outcome, poison, durationMs: performance.now() - startedAt });
        lag?.committed({ ...batch, lastEventMs: batch.mapped.at(-1)?.record.timestampMs }, outcome.nextOffset);
        auditCommit(log, { ...access, details: { ...coordinatesOf(batch), ...countsOf(outcome), ...trace } });
        span?.end({ 'penstock.rows': outcome.rowCount, 'penstock.dead': outcome.deadCount });
        return outcome;
      } catch (error) {
        auditCommit(log, { ...access, details: { ...coordinatesOf(batch), ...trace } }, error);
        span?.fail(error);
        throw error;
      }
    },
  };
}

function coordinatesOf({ topic, partition, fromOffset, toOffset }: BatchCommit) {
  return { topic, partition, fromOffset: String(fromOffset), toOffset: String(toOffset) };
}

function countsOf({ rowCount, skippedCount, deadCount }: BatchOutcome) {
  return { rows: rowCount, skipped: skippedCount, dead: deadCount };
}

function openSpan(telemetry: Telemetry, batch: BatchCommit): BatchSpan {
  const { topic, partition, fromOffset, toOffset, mapped, compiled } = batch;
  return openBatchSpan(telemetry, compiled.pipeline, recordsOf(batch), {
    'messaging.system': 'kafka',
    'messaging.destination.name': topic,
    'messaging.destination.partition.id': String(partition),
    'messaging.batch.message_count': mapped.length,
    'penstock.offset.from': String(fromOffset),
    'penstock.offset.to': String(toOffset),
  });
}

function* recordsOf({ mapped }: BatchCommit) {
  for (const { record } of mapped) yield record;
}

interface Committed {
  readonly outcome: BatchOutcome;
  readonly poison: readonly PoisonClass[];
  readonly durationMs: number;
}

function meter(to: IngestMeter, batch: BatchCommit, { outcome, poison, durationMs }: Committed): void {
  const { rowCount, skippedCount, knownCount } = outcome;
  const taken = knownCount === 0 ? batch.mapped : batch.mapped.slice(knownCount);
  if (knownCount === 0 || taken.length > 0) {
    to.committed(batch, { rowCount, skippedCount, poison, durationMs, taken, committedAtMs: Date.now() });
  }
}
