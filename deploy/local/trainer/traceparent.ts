const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The parts of a `traceparent`; undefined for what is none. Source: www.w3.org/TR/trace-context/#traceparent-header. */
export function readTraceparent(
  header: string | undefined,
): { readonly traceId: string; readonly spanId: string; readonly flags: string } | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(header ?? '') ?? [];
  return traceId === undefined || spanId === undefined || flags === undefined ? undefined : { traceId, spanId, flags };
}
