import type { Pipeline } from '../../model/config/declaration.ts';
import type { RawRecord } from '../../model/events/records/raw-record.ts';
import { type TraceContext, traceContexts } from '../../model/events/records/trace-context.ts';
import type { Telemetry, WorkSpan } from './telemetry.ts';

/** More traces than these of one batch are not linked. */
const MAX_LINKS = 32;

type Attributes = Readonly<Record<string, string | number | boolean>>;

/** A batch on its way into Spanner: one span, and one below it for each attempt to commit. */
export interface BatchSpan {
  readonly context: TraceContext;
  /** What the batch writes is decided: the commit begins. */
  attempt(): void;
  /** The attempt is given up, and another one follows. */
  repeat(why: string): void;
  end(attributes: Attributes): void;
  fail(error: unknown): void;
}

/** Begins the span of a batch, which goes on with the traces that its records carry. */
export function openBatchSpan(
  telemetry: Telemetry,
  { name, commit }: Pipeline,
  records: Iterable<RawRecord>,
  attributes: Attributes,
): BatchSpan {
  const span = telemetry.start('penstock.ingest.batch', traceContexts(records, MAX_LINKS), {
    'penstock.pipeline': name,
    ...(commit.tag === undefined ? {} : { 'penstock.transaction_tag': commit.tag }),
    ...attributes,
  });
  let attempt: WorkSpan | undefined;
  return {
    context: span.context,
    attempt() {
      attempt?.end();
      attempt = span.child('penstock.ingest.commit');
    },
    repeat(why) {
      attempt?.set({ 'penstock.repeated': why });
      attempt?.end();
      attempt = undefined;
    },
    end(found) {
      attempt?.end();
      span.set(found);
      span.end();
    },
    fail(error) {
      attempt?.end(error);
      span.end(error);
    },
  };
}
