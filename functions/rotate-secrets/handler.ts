import type { ServerResponse } from 'node:http';
import { problemOf, sendProblem } from '../../shared/adapters/http/problem.ts';
import { type FunctionRequest, readJson } from '../../shared/adapters/http/read-json.ts';
import type { NoteRefusal } from '../../shared/adapters/identity/audit-refusals.ts';
import type { VerifyToken } from '../../shared/adapters/identity/verify-token.ts';
import { messageOf } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import type { Principal } from '../../shared/model/identity/principal.ts';
import { alertFailed } from './alerts.ts';
import { incompleteTick, TickIncompleteError } from './incomplete-tick.ts';
import type { Rotator } from './open-rotator.ts';
import { type RotateReading, readRotateRequest } from './rotate-request.ts';

/** A secret's resource as JSON, and the envelope around it. */
const MAX_BODY_BYTES = 256 * 1024;

/** What the handler acts with. */
export interface RotateDoor {
  readonly verify: VerifyToken;
  /** Whether policies let the caller have this secret rotated. */
  readonly decide: (caller: Principal, secret: string) => { readonly allowed: boolean };
  /** Throws unless they do. */
  readonly require: (caller: Principal, secret: string) => void;
  readonly reading: Omit<RotateReading, 'caller'>;
  readonly rotator: Pick<Rotator, 'rotate' | 'tick'>;
  /** Sends the figures: nothing of this process may run until the next request. Never throws. */
  readonly flush: () => Promise<void>;
}

/**
 * Answers `POST /`: Secret Manager's message, `{"secret"}`, or the schedule's tick.
 *
 * 200 when there is nothing more to do for this request: done, failed for good and said so, skipped, not ours. 503 while
 * another process is at it, and after what may succeed later: Pub/Sub sends the message again.
 *
 * A tick is 200 only when no secret needed what it did not get: Cloud Scheduler looks at nothing but the status. 403 when policies
 * refuse every secret, 503 else; the problem names each secret with what came of it.
 *
 * @param open gives the door; called for each request, so that what is missing at start can come later
 */
export function rotateHandler(
  open: () => Promise<RotateDoor>,
  { log, refused }: { readonly log: Log; readonly refused: NoteRefusal },
) {
  return async (request: FunctionRequest, response: ServerResponse): Promise<void> => {
    try {
      const door = await open();
      const caller = await door.verify(request.headersDistinct.authorization);
      const key = request.headers['idempotency-key'];
      const body = await readJson(request, MAX_BODY_BYTES);
      const reading = { ...door.reading, caller };
      const wanted = readRotateRequest(body, typeof key === 'string' ? key : undefined, reading);
      answer(response, await act(wanted, caller, door, log).finally(door.flush));
    } catch (error) {
      const members = error instanceof TickIncompleteError ? { members: { secrets: error.secrets } } : {};
      const problem = { ...problemOf(error), ...members };
      if (!refused(error) && problem.status >= 500) {
        log('ERROR', 'rotation failed', { error: messageOf(error), code: problem.code });
      }
      sendProblem(response, problem);
    }
  };
}

async function act(
  wanted: ReturnType<typeof readRotateRequest>,
  caller: Principal,
  { rotator, decide, require }: RotateDoor,
  log: Log,
): Promise<unknown> {
  if (wanted.kind === 'ignore') {
    log('INFO', `A message asked for nothing: ${wanted.why}`);
    return { ignored: wanted.why };
  }
  if (wanted.kind === 'tick') {
    const outcomes = await rotator.tick(caller.name, (secret) => decide(caller, secret).allowed);
    const secrets = outcomes.map(({ rotations, ...rest }) => ({ ...rest, rotations: rotations.map(shown) }));
    const incomplete = incompleteTick(caller.name, outcomes, secrets);
    if (incomplete) throw incomplete;
    return { secrets };
  }
  require(caller, wanted.secret);
  const { rotation, joined } = await rotator.rotate({ ...wanted, kind: 'rotate', now: false }, caller.name);
  if (rotation.step === 'failed') alertFailed(log, rotation);
  return { ...shown(rotation), joined };
}

/** What is said of a rotation to whoever asked. */
function shown({
  secret,
  id,
  step,
  fromVersion,
  toVersion,
  reason,
}: Awaited<ReturnType<Rotator['rotate']>>['rotation']): Readonly<Record<string, unknown>> {
  return { secret, id, step, fromVersion, toVersion, ...(reason === undefined ? {} : { reason }) };
}

function answer(response: ServerResponse, body: unknown): void {
  response.statusCode = 200;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(body));
}
