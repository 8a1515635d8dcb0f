import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { findAuditGaps } from '../../../shared/base/audit-chain.ts';
import { ConfigError } from '../../../shared/base/errors.ts';
import type { Output } from '../output.ts';

/** Says which audit lines of a log are missing, changed or out of their place; exit code 1 when there are such. */
export async function checkAudit({ file }: { readonly file: string }, output: Output): Promise<void> {
  const lines = await readAuditLines(file);
  const found = findAuditGaps(lines);
  const chains = new Set(lines.map(({ chain }) => chain)).size;
  const whole = `${lines.length} audit lines of ${chains} processes are whole.`;
  output.result({ lines: lines.length, chains, found }, found.length === 0 ? whole : found.join('\n'));
  if (found.length > 0) process.exitCode = 1;
}

/** Other lines of the log are passed by. */
async function readAuditLines(file: string): Promise<Readonly<Record<string, unknown>>[]> {
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
