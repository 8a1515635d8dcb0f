import type { RawRecord } from './raw-record.ts';

/** Where a record's trace stands: what W3C's `traceparent` says. */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  /** Bit 0: the trace is sampled. */
  readonly traceFlags: number;
}

/** Pub/Sub's clients write theirs under a name of their own. */
const HEADERS = new Set(['traceparent', 'googclient_traceparent']);
const TRACEPARENT_BYTES = 55;
const FORM = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** Reads a `traceparent`; undefined for what is none. Source: www.w3.org/TR/trace-context/#traceparent-header. */
export function readTraceparent(text: string): TraceContext | undefined {
  const [, traceId, spanId, flags] = FORM.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (text.length > TRACEPARENT_BYTES && text.startsWith('00')) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1 };
}

/** Writes a `traceparent`. */
export function writeTraceparent({ traceId, spanId, traceFlags }: TraceContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

/**
 * The traces that records belong to, each once, in order.
 *
 * @param most how many are wanted; the others are left out
 */
export function traceContexts(records: Iterable<Pick<RawRecord, 'headers'>>, most: number): readonly TraceContext[] {
  const found = new Map<string, TraceContext>();
  for (const { headers } of records) {
    for (const { name, value } of headers) {
      if (!HEADERS.has(name)) continue;
      const context = readTraceparent(value.subarray(0, 4 * TRACEPARENT_BYTES).toString('latin1'));
      if (context) found.set(`${context.traceId}-${context.spanId}`, context);
    }
    if (found.size >= most) break;
  }
  return [...found.values()].slice(0, most);
}
