/** Severities as Cloud Logging names them. */
export type Severity = 'DEBUG' | 'INFO' | 'NOTICE' | 'WARNING' | 'ERROR' | 'ALERT';

/** Writes one structured line. Never pass payloads or secrets. */
export type Log = (severity: Severity, message: string, fields?: Readonly<Record<string, unknown>>) => void;

/**
 * Logs JSON lines that Cloud Logging reads as they are.
 *
 * @param component the function's name
 * @param write where a line goes; stderr unless given
 */
export function jsonLog(component: string, write: (line: string) => void = (line) => process.stderr.write(line)): Log {
  return (severity, message, fields = {}) => {
    const labels = { 'logging.googleapis.com/labels': { component } };
    const entry = { severity, time: new Date().toISOString(), component, message, ...labels, ...fields };
    write(`${JSON.stringify(entry, (_, value) => (typeof value === 'bigint' ? String(value) : value))}\n`);
  };
}

/** The fields by which Cloud Logging shows a line beside its trace. */
export function traceFields(
  { traceId, spanId, traceFlags }: { readonly traceId: string; readonly spanId: string; readonly traceFlags: number },
  projectId: string,
): Readonly<Record<string, unknown>> {
  return {
    'logging.googleapis.com/trace': `projects/${projectId}/traces/${traceId}`,
    'logging.googleapis.com/spanId': spanId,
    'logging.googleapis.com/trace_sampled': (traceFlags & 1) === 1,
  };
}

/** Drops everything. */
export const noLog: Log = () => {};
