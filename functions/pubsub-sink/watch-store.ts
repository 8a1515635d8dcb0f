import type { EventStore } from '../../shared/adapters/spanner/ingest/event-store.ts';
import type { EventOutcome, EventTaking } from '../../shared/adapters/spanner/ingest/take-events.ts';
import { auditCommit } from '../../shared/adapters/telemetry/audit-commit.ts';
import { type BatchSpan, openBatchSpan } from '../../shared/adapters/telemetry/batch-span.ts';
import type { Telemetry } from '../../shared/adapters/telemetry/telemetry.ts';
import { type Log, traceFields } from '../../shared/base/log.ts';
import type { PoisonClass } from '../../shared/model/events/records/poison.ts';

export interface StoreWatch {
  /** Who commits. */
  readonly identity: string;
  readonly log: Log;
  /** Undefined where nobody receives figures and traces. */
  readonly telemetry: Telemetry | undefined;
}

/**
 * Looks on while events are taken: an audit line of each commit's access, and, where telemetry has a receiver, its figures,
 * and its span with those of its attempts.
 */
export function watchStore(store: EventStore, { identity, log, telemetry }: StoreWatch): EventStore {
  const projectId = store.database.split('/')[1] ?? '';
  return {
    ...store,
    async takeEvents(takings, watch) {
      const [first] = takings;
      if (!first) return [];
      const { compiled } = first;
      const series = { pipeline: compiled.pipeline.name, topic: first.mapped.record.topic, partition: undefined };
      const span = telemetry && openSpan(telemetry, first, takings);
      const trace = span ? traceFields(span.context, projectId) : {};
      const details = { subscription: series.topic, firstEventId: first.eventId, events: takings.length, ...trace };
      let poison: readonly PoisonClass[] = [];
      const startedAt = performance.now();
      try {
        const outcomes = await store.takeEvents(takings, {
          admit(verdict) {
            watch?.admit?.(verdict);
            poison = verdict.dead.map((one) => one.poison);
            span?.attempt();
          },
          onRepeat(why) {
            watch?.onRepeat?.(why);
            telemetry?.meter.repeated(series, why);
            span?.repeat(why);
          },
        });
        const counts = countsOf(outcomes);
        telemetry?.meter.committed(series, {
          rowCount: counts.rows,
          skippedCount: counts.skipped,
          poison,
          durationMs: performance.now() - startedAt,
          taken: takings.flatMap(({ mapped }, at) => (outcomes[at] === 'duplicate' ? [] : [mapped])),
          committedAtMs: Date.now(),
        });
        auditCommit(log, { identity, compiled, details: { ...details, ...counts } });
        span?.end({ 'penstock.rows': counts.rows, 'penstock.dead': counts.dead });
        return outcomes;
      } catch (error) {
        auditCommit(log, { identity, compiled, details }, error);
        span?.fail(error);
        throw error;
      }
    },
  };
}

function countsOf(outcomes: readonly EventOutcome[]) {
  const count = (...wanted: EventOutcome[]): number => outcomes.filter((outcome) => wanted.includes(outcome)).length;
  return {
    rows: count('taken'),
    skipped: count('skipped'),
    dead: count('set-aside', 'conflict'),
    duplicates: count('duplicate'),
  };
}

function openSpan(telemetry: Telemetry, first: EventTaking, takings: readonly EventTaking[]): BatchSpan {
  const { compiled, mapped } = first;
  const records = takings.map((taking) => taking.mapped.record);
  return openBatchSpan(telemetry, compiled.pipeline, records, {
    'messaging.system': 'gcp_pubsub',
    'messaging.destination.name': mapped.record.topic,
    'messaging.batch.message_count': takings.length,
  });
}
