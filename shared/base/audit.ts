import { auditChain } from './audit-chain.ts';
import { messageOf } from './errors.ts';
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

/** One attempt to reach something. */
export interface Attempt {
  /** Where: `host:port`, a URL, a secret's name. */
  readonly resource: string;
  /** As whom, where that is known only then: a Kafka user, a certificate's subject. */
  readonly identity?: string | undefined;
  /** What it failed with; undefined when it is done. */
  readonly error?: unknown;
}

/** Is told of each attempt, once it has ended. */
export type OnAttempt = (attempt: Attempt) => void;

/**
 * Leaves an audit line of each attempt.
 *
 * @param identity who attempts, unless the attempt says so itself
 */
export function auditAttempts(log: Log, action: string, identity: string): OnAttempt {
  return ({ resource, identity: itself, error }) =>
    audit(log, {
      action,
      identity: itself ?? identity,
      resource,
      outcome: error === undefined ? 'done' : 'failed',
      ...(error === undefined ? {} : { details: { reason: messageOf(error) } }),
    });
}

/** Of this process: a line that is missing or changed shows. */
const link = auditChain();

/** Writes one audit line: severity NOTICE, with `audit: true` to find it by, tied to the one before. */
export function audit(log: Log, { action, identity, resource, outcome, details = {} }: AuditEntry): void {
  const fields = { ...details, audit: true, action, identity, resource, outcome };
  log('NOTICE', `${action} ${resource}: ${outcome}`, { ...fields, ...link(fields) });
}
