import type { Log } from './log.ts';

/** How an audited act ended. */
export type AuditOutcome = 'done' | 'refused' | 'failed';

/** Somebody did something to something: what an auditor asks for. Never holds payloads or secrets. */
export interface AuditEntry {
  /** What was done, as `area.verb`: `kafka.connect`, `spanner.commit`, `dead-letter.redrive`. */
  readonly action: string;
  /** Who did it: a service account's e-mail, a Kafka user, a person. */
  readonly identity: string;
  /** What it was done to: an address, a table, a record. */
  readonly resource: string;
  readonly outcome: AuditOutcome;
  /** More about it, by name: numbers, short texts, lists of names. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Writes one audit line: severity NOTICE, with `audit: true` to find it by. */
export function audit(log: Log, { action, identity, resource, outcome, details = {} }: AuditEntry): void {
  log('NOTICE', `${action} ${resource}: ${outcome}`, { audit: true, action, identity, resource, outcome, ...details });
}
