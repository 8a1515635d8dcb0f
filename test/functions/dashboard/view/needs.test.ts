import assert from 'node:assert/strict';
import { test } from 'node:test';
import { viewOverview } from '../../../../functions/dashboard/view/overview.ts';
import { type Approval, requestApproval } from '../../../../shared/model/approvals/approval.ts';
import { exampleDeclaration, kafka } from '../example-declaration.ts';
import { NOW, sourcesOf } from '../example-sources.ts';

const declaration = exampleDeclaration({ flights: kafka('flights') });
const MINUTE_MS = 60_000;

function request(id: string, withinMs: number): Approval {
  const subject = { action: 'redrive', resource: { type: 'Pipeline', name: 'flights' }, content: {} } as const;
  return requestApproval(subject, { id, requestedBy: 'ada@example.com', nowMs: NOW - 1, withinMs });
}

const needsOf = (...approvals: Approval[]) =>
  viewOverview(sourcesOf(declaration, { approvals })).needs.filter(({ id }) => id.startsWith('approval'));

test('findNeeds() names a request that waits, who asked and until when, and leads to its own page', () => {
  assert.deepEqual(needsOf(request('a-1', 10 * MINUTE_MS)), [
    {
      id: 'approval-a-1',
      href: '/approvals/a-1',
      health: 'warn',
      isAsked: true,
      title: 'Approve or deny: redrive Pipeline/flights',
      detail: 'Asked by ada@example.com, stands until 21 Nov 06:38:28 UTC. Somebody else has to look at it.',
      command: 'npx penstock approvals show a-1',
    },
  ]);
});

test('findNeeds() names the three requests that end first, and counts the others', () => {
  const waiting = [5, 2, 4, 1, 3].map((minutes) => request(`in-${minutes}`, minutes * MINUTE_MS));
  assert.deepEqual(
    needsOf(...waiting).map(({ title, href }) => [title, href]),
    [
      ['Approve or deny: redrive Pipeline/flights', '/approvals/in-1'],
      ['Approve or deny: redrive Pipeline/flights', '/approvals/in-2'],
      ['Approve or deny: redrive Pipeline/flights', '/approvals/in-3'],
      ['2 further requests wait for a second person', '#approvals'],
    ],
  );
});

test('findNeeds() asks nobody about a request that was decided or whose time is over', () => {
  const denied = { ...request('a', MINUTE_MS), state: 'denied' } as const;
  assert.deepEqual(needsOf(denied, request('b', 1)), []);
});
