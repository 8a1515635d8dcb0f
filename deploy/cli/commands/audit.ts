import { findAuditGaps } from '../../../shared/base/audit-chain.ts';
import type { Output } from '../output.ts';
import { readAuditLines } from '../read-audit-lines.ts';

/** Says which audit lines of a log are missing, changed or out of their place; exit code 1 when there are such. */
export async function checkAudit({ file }: { readonly file: string }, output: Output): Promise<void> {
  const lines = await readAuditLines(file);
  const found = findAuditGaps(lines);
  const chains = new Set(lines.map(({ chain }) => chain)).size;
  const whole = `${lines.length} audit lines of ${chains} processes are whole.`;
  output.result({ lines: lines.length, chains, found }, found.length === 0 ? whole : found.join('\n'));
  if (found.length > 0) process.exitCode = 1;
}
