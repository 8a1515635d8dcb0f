import type { EventEmitter } from 'node:events';
import { type BoundedAuditOptions, boundedAudit } from '../../base/bounded-audit.ts';
import type { Log } from '../../base/log.ts';
import { RefusedError } from '../../base/refused-error.ts';
import { showName } from '../../model/access/access-request.ts';
import { IssuerUnavailableError } from './issuer-keys.ts';

const ENTER = 'door.enter';
/** In place of a name where no signature was verified. */
const UNVERIFIED = 'unverified';

/**
 * Leaves an audit line of an error that keeps a request out, and of an issuer that could not be asked about it.
 *
 * @returns whether the request is refused by it: there is nothing more to log then
 */
export type NoteRefusal = (error: unknown) => boolean;

/**
 * Audits what a door refuses, and whom it could not check: strangers can knock as often as they like, so lines are bounded, and the rest is
 * counted, at the latest when the process ends.
 *
 * @param door the function, or a part of it that has a door of its own: `dashboard/login`
 */
export function auditRefusals(
  door: string,
  log: Log,
  options: BoundedAuditOptions & { readonly source?: Pick<EventEmitter, 'once'> } = {},
): NoteRefusal {
  const resource = `Function/${door}`;
  const { note, flush } = boundedAudit(log, { action: ENTER, resource, details: { door } }, options);
  // Pipes and files are written at once then: nodejs.org/api/process.html#a-note-on-process-io.
  (options.source ?? process).once('exit', flush);
  return (error) => {
    const entry = { action: ENTER, resource };
    if (error instanceof IssuerUnavailableError) {
      const details = { door, why: showName(error.message) };
      note({ ...entry, identity: UNVERIFIED, outcome: 'failed', reason: 'issuer not reached', details });
      return false;
    }
    if (!(error instanceof RefusedError)) return false;
    const { message, reason, caller } = error;
    const known = caller && {
      issuer: showName(caller.issuer),
      ...(caller.subject === undefined ? {} : { subject: showName(caller.subject) }),
    };
    note({
      ...entry,
      identity: caller ? showName(caller.name) : UNVERIFIED,
      outcome: 'refused',
      reason,
      details: { door, why: showName(message), ...known },
    });
    return true;
  };
}
