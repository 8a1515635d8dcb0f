import { type AuditOutcome, audit } from '../../base/audit.ts';
import { messageOf, PenstockError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { CompiledPipeline } from '../../model/events/compile-pipeline.ts';

/** Codes by which a commit was refused, rather than that it failed. */
const REFUSALS = new Set(['FENCED', 'POISON_SHARE', 'POISON_STOP', 'TOPIC_RECREATED']);

/** Whose commit it was, and of what. */
export interface CommitAccess {
  readonly identity: string;
  readonly compiled: CompiledPipeline;
  /** Where the records came from, and how many of what were written. */
  readonly details: Readonly<Record<string, unknown>>;
}

/**
 * Writes the audit line of one commit's access: who wrote which tables and columns, from which records.
 *
 * @param error what it failed with; undefined when it is done
 */
export function auditCommit(log: Log, { identity, compiled, details }: CommitAccess, error?: unknown): void {
  const tables = [...new Set(compiled.targets.map(({ table }) => table.name))].join(', ');
  const code = error instanceof PenstockError ? error.code : 'ERROR';
  const outcome: AuditOutcome = error === undefined ? 'done' : REFUSALS.has(code) ? 'refused' : 'failed';
  audit(log, {
    action: 'spanner.commit',
    identity,
    resource: tables,
    outcome,
    details: {
      pipeline: compiled.pipeline.name,
      columns: columnsOf(compiled),
      ...details,
      ...(error === undefined ? {} : { code, reason: messageOf(error) }),
    },
  });
}

function columnsOf({ targets }: CompiledPipeline): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    targets.map(({ table, columns, aggregate }) => [
      table.name,
      [...new Set([...columns, ...(aggregate?.columns ?? [])].map(({ name }) => name))],
    ]),
  );
}
