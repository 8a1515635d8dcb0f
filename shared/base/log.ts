/** Severities as Cloud Logging names them. */
export type Severity = 'DEBUG' | 'INFO' | 'NOTICE' | 'WARNING' | 'ERROR';

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
    const entry = { severity, time: new Date().toISOString(), component, message, ...fields };
    write(`${JSON.stringify(entry, (_, value) => (typeof value === 'bigint' ? String(value) : value))}\n`);
  };
}

/** Drops everything. */
export const noLog: Log = () => {};
