import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxListedDeeds, viewDeeds } from '../../../../functions/dashboard/view/deeds-view.ts';
import type { DeadLetterRow } from '../../../../shared/adapters/spanner/overview-store.ts';
import { type Approval, requestApproval } from '../../../../shared/model/approvals/approval.ts';
import { exampleDeclaration, kafka } from '../example-declaration.ts';
import { deadLetter, epochRow, kafkaSource, NOW, rotationRecord, sourcesOf } from '../example-sources.ts';

const declaration = exampleDeclaration({ flights: kafka('flights') });
const [ada, grace] = ['ada@example.com', 'grace@example.com'];

const deedsOf = (parts: Parameters<typeof sourcesOf>[1]) => viewDeeds(sourcesOf(declaration, parts));
const told = (parts: Parameters<typeof sourcesOf>[1]) =>
  deedsOf(parts).newest.map(({ who, did, what, detail }) => [who, did, what, detail]);

function approval(parts: Partial<Approval>): Approval {
  const subject = { action: 'redrive', resource: { type: 'Pipeline', name: 'flights' }, content: {} } as const;
  const asked = requestApproval(subject, { id: 'a-1', requestedBy: ada, nowMs: NOW - 9_000, withinMs: 60_000 });
  return { ...asked, ...parts };
}

/** A letter that somebody sent again. */
function redriven(id: string, agoMs: number, parts: Partial<DeadLetterRow> = {}): DeadLetterRow {
  return deadLetter(id, 90_000, { redriven: true, redrivenAtMs: NOW - agoMs, redrivenBy: ada, ...parts });
}

const letters = (...deadLetters: DeadLetterRow[]) => ({
  pipelines: new Map([['flights', kafkaSource([], { deadLetters })]]),
});

test('viewDeeds() tells each step of a request for a second person, and who took it', () => {
  const what = 'redrive Pipeline/flights';
  const yes = { decidedBy: grace, decidedAtMs: NOW - 5_000 };
  const ran = { ...yes, startedAtMs: NOW - 3_000 };
  assert.deepEqual(told({ approvals: [approval({ ...ran, state: 'done' })] }), [
    [ada, 'ran', what, null],
    [grace, 'approved', what, null],
    [ada, 'asked for', what, null],
  ]);
  assert.deepEqual(told({ approvals: [approval({ ...ran, state: 'failed', error: 'no topic' })] })[0], [
    ada,
    'ran, in vain',
    what,
    'failed: no topic',
  ]);
  assert.deepEqual(told({ approvals: [approval({ ...yes, state: 'denied', reason: 'not now' })] })[0], [
    grace,
    'denied',
    what,
    'because: not now',
  ]);
  assert.equal(
    told({ approvals: [approval({ ...yes, state: 'denied', decidedBy: 'ADA@example.com' })] })[0]?.[1],
    'took back',
  );
  assert.equal(deedsOf({ approvals: [approval({})] }).newest[0]?.href, '/approvals/a-1');
});

test('viewDeeds() tells rotations and epochs with who asked for them, newest first', () => {
  const rotations = [
    rotationRecord(5_000, { requestedBy: ada, kind: 'back', fromVersion: 3, toVersion: 2 }),
    rotationRecord(1_000, { requestedBy: grace, step: 'failed', fromVersion: undefined, toVersion: undefined }),
  ];
  const parts = { secrets: new Map([['sink', { rotations, users: [] }]]), epochs: [epochRow('e1', 3_000)] };
  assert.deepEqual(told(parts), [
    [grace, 'rotated', 'Secret/sink', 'failed'],
    ['plan-epoch@demo.iam.gserviceaccount.com', 'planned', 'epoch e1 of delays', null],
    [ada, 'rotated back', 'Secret/sink', 'version 3 → 2'],
  ]);
});

test('viewDeeds() tells letters that were redriven in one go as one deed, and says nothing of what they hold', () => {
  const many = [1, 2, 3].map((n) => redriven(`l${n}`, 200_000 + n * 50_000, { reason: 'Field name is "Lovelace"' }));
  const later = redriven('l4', 20_000);
  const others = redriven('l5', 200_500, { redrivenBy: grace });
  const parts = letters(later, ...many, others, deadLetter('waits', 1_000));
  assert.deepEqual(told(parts), [
    [ada, 'redrove', '1 dead letter of flights', null],
    [grace, 'redrove', '1 dead letter of flights', null],
    [ada, 'redrove', '3 dead letters of flights', null],
  ]);
  assert.doesNotMatch(JSON.stringify(deedsOf(parts)), /Lovelace/);
});

test('viewDeeds() lists a bounded number, and says when there are more', () => {
  const rotations = (count: number) =>
    new Map([['sink', { rotations: Array.from({ length: count }, (_, n) => rotationRecord(n)), users: [] }]]);
  assert.equal(deedsOf({ secrets: rotations(maxListedDeeds) }).isMore, false);
  const { newest, isMore } = deedsOf({ secrets: rotations(maxListedDeeds + 1) });
  assert.deepEqual([newest.length, isMore, newest[0]?.atMs], [maxListedDeeds, true, NOW]);
});

test('viewDeeds() shows what is hidden in a name, and cuts it', () => {
  const [deed] = deedsOf({ epochs: [epochRow('e1', 1, { plannedBy: `\u202e${'x'.repeat(9_000)}` })] }).newest;
  assert.match(deed?.who ?? '', /^\\u\{202e\}x+…$/);
  assert.ok((deed?.who.length ?? 0) <= 500);
});
