import { PenstockError } from '../../base/errors.ts';
import { type AccessRequest, type Decision, showName, writeResource } from './access-request.ts';

/** Policies do not permit it. */
export class DeniedError extends PenstockError {
  readonly decision: Decision;

  constructor({ asker, action, resource }: AccessRequest, decision: Decision) {
    const what = writeResource(resource);
    super(`${showName(asker.name)} may not ${action} ${showName(what)}: ${decision.why}`, {
      code: 'FORBIDDEN',
      remedy: 'Ask who writes the policies; `penstock access explain WHO ACTION WHAT` says what they look at',
      retryable: false,
    });
    this.decision = decision;
  }
}
