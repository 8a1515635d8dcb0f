import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { ConfigError } from '../../shared/base/errors.ts';

/** The audit lines of a log; other lines are passed by. @throws {ConfigError} for a file that cannot be read */
export async function readAuditLines(file: string): Promise<Readonly<Record<string, unknown>>[]> {
  const found: Readonly<Record<string, unknown>>[] = [];
  try {
    for await (const text of createInterface({ input: createReadStream(file) })) {
      const line = parse(text);
      if (line?.audit === true) found.push(line);
    }
  } catch (error) {
    const message = `cannot be read: ${error instanceof Error ? error.message : error}`;
    throw new ConfigError([{ path: file, message, remedy: 'Name a file of log lines' }]);
  }
  return found;
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const line: unknown = JSON.parse(text);
    return Object(line);
  } catch {
    return undefined;
  }
}
