import { type Database, Spanner } from '@google-cloud/spanner';
import { openApprovalStore } from '../../../shared/adapters/spanner/approvals/approval-store.ts';
import { requestApproval } from '../../../shared/model/approvals/approval.ts';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import { rotatedSecret } from './example-sources.ts';
import { hostile } from './example-tables.ts';

const HOUR_MS = 3_600_000;
const long = 'wordWithoutASpace'.repeat(50);
const secrets = ['kafka-sink', 'trainer-webhook', 'a-secret-whose-name-is-longer-than-any-column-of-a-page-should-be'];

/** The same declaration with secrets that rotate. */
export function withSecrets(declaration: Declaration): Declaration {
  return { ...declaration, secrets: Object.fromEntries(secrets.map((name) => [name, rotatedSecret(name)])) };
}

/** Requests that wait and were denied, a rotation that failed and one that is overdue: by people who write what they like. */
export async function fillPeople(database: Database, nowMs: number): Promise<void> {
  const approvals = openApprovalStore(database);
  const subject = { action: 'redrive', content: { letters: 'all that wait' } } as const;
  for (const [id, name, by] of [
    ['a-1', 'payments', 'ada@example.com'],
    ['a-2', `payments-${long}`, `mallory${hostile}`],
    ['a-3', 'orders', 'ada@example.com'],
  ] as const) {
    const content = { ...subject.content, [`name ${hostile}`]: `${hostile}${long}` };
    const act = { ...subject, resource: { type: 'Pipeline', name }, content } as const;
    await approvals.request(requestApproval(act, { id, requestedBy: by, nowMs, withinMs: HOUR_MS }), nowMs);
  }
  await approvals.change('a-3', (approval) => ({
    ...approval,
    state: 'denied',
    decidedBy: 'grace@example.com',
    decidedAtMs: nowMs,
    reason: `Not now ${hostile}${long}`,
  }));
  const at = (agoMs: number) => Spanner.timestamp(new Date(nowMs - agoMs).toISOString());
  await database.table('PenstockRotations').insert(
    secrets.map((Secret, n) => ({
      Secret,
      RotationId: `asked-${hostile}`,
      Kind: 'rotate',
      Step: n === 1 ? 'closed' : 'failed',
      UnderWay: false,
      BaseVersion: 1,
      FromVersion: 1,
      ToVersion: 2,
      Fence: 1,
      RequestedBy: `grace${hostile}`,
      Reason: n === 1 ? null : `The broker refused it: ${hostile}${long}`.slice(0, 1_000),
      StartedAt: at(40 * 24 * HOUR_MS),
      UpdatedAt: at(40 * 24 * HOUR_MS),
      FinishedAt: n === 1 ? at(40 * 24 * HOUR_MS) : null,
    })),
  );
}
