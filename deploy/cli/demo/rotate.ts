import { query } from '../epoch-progress.ts';
import { identities } from '../stack/identities.ts';
import type { Stack } from '../stack/stack.ts';

/** The secret that the demo's sinks log in by. */
export const sinkSecret = 'kafka-sink';

const TIMEOUT_MS = 60_000;

/** What came of rotating the sink's password under load. */
export interface Rotations {
  /** Finished, as Spanner has them. */
  readonly count: number;
  /** Warnings and errors of the sink. */
  readonly failedBatches: number;
}

/**
 * Has the sink's Kafka password rotated, as the scheduler would.
 *
 * @throws {Error} when rotate-secrets does not say that it is done, or that it is too early for another
 */
export async function rotateSinkSecret(stack: Stack): Promise<void> {
  const { rotateSecrets, cloud } = stack;
  if (!rotateSecrets) return;
  const token = await cloud.identity.mintIdToken(identities.scheduler, rotateSecrets.audience);
  const answer = await fetch(rotateSecrets.url, {
    method: 'POST',
    body: JSON.stringify({ secret: sinkSecret }),
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${token}`,
      'idempotency-key': `demo-${Date.now()}`,
    },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await answer.text();
  if (!answer.ok || !/"step":"(retire|skipped)"/.test(text)) {
    throw new Error(`rotate-secrets answered ${answer.status}: ${text}`);
  }
}

/** @returns rotations of the secret that have finished */
export async function countRotations(stack: Stack): Promise<number> {
  const sql = 'SELECT COUNT(*) AS n FROM PenstockRotations WHERE Secret = @secret AND FinishedAt IS NOT NULL';
  const [row] = await query(stack.database, sql, { secret: sinkSecret });
  return Number(row?.n ?? 0);
}
