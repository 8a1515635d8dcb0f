import { beginRotation, type RotationRequest } from '../../shared/model/rotation/begin-rotation.ts';
import { type Rotation, withoutWaiting } from '../../shared/model/rotation/rotation.ts';
import { type RotationTools, runRotation } from './run-rotation.ts';

/** What came of a request. */
export interface RotationOutcome {
  readonly rotation: Rotation;
  /** Another one was under way, and has been gone on with: the request's own is skipped. */
  readonly joined: boolean;
}

/** An earlier rotation's retirement, then our own, and once more where another request was faster. */
const MAX_TURNS = 4;

/**
 * Rotates a secret once for each id, whoever asks, and however often.
 *
 * @param requestedBy who asks, for the record
 * @throws {RotationLeasedError} another process is at it
 * @throws whatever failed and may succeed later: asking again with the same id goes on
 */
export async function rotateSecret(
  request: RotationRequest,
  requestedBy: string,
  tools: RotationTools,
): Promise<RotationOutcome> {
  const { store, vault, clock } = tools;
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    const begun = await store.begin({ secret: request.secret, requestedBy }, async (known) =>
      beginRotation(request, known, await vault.look(request.secret), clock()),
    );
    if (begun.outcome === 'skipped') return { rotation: begun.rotation, joined: false };
    const rotation = await runRotation(begun.rotation, tools);
    if (begun.outcome !== 'retire-first') {
      const joined = rotation.id !== request.id;
      if (!request.now || rotation.step !== 'retire') return { rotation, joined };
      return { rotation: await runRotation(withoutWaiting(rotation), tools), joined };
    }
    if (rotation.step === 'retire') return { rotation, joined: true };
  }
  throw new Error(`Secret ${request.secret} was not rotated: others begin a rotation of it again and again`);
}
