import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PolicyUnavailableError } from '../../../shared/adapters/policy/policy-engine.ts';
import { jsonLog } from '../../../shared/base/log.ts';
import { openAuthority } from '../../../shared/connect/authority.ts';
import { columnGuard } from '../../../shared/connect/column-guard.ts';
import { type Asker, serviceAsker } from '../../../shared/model/access/asker.ts';
import { DeniedError } from '../../../shared/model/access/denied-error.ts';
import { guardedDeclaration } from '../model/access/guarded-declaration.ts';
import { plainDeclaration } from '../model/config/plain-pipeline.ts';

const ada: Asker = { name: 'ada@example.com', issuer: 'https://accounts.google.com', groups: [], kind: 'person' };

function auditLog() {
  const lines: Record<string, unknown>[] = [];
  return { lines, log: jsonLog('test', (line) => lines.push(JSON.parse(line))) };
}

test('openAuthority() leaves one audit line of each decision: who, what, by which policies, why', async () => {
  const { lines, log } = auditLog();
  const declaration = guardedDeclaration(
    '@id("ada") permit (principal == Person::"ada@example.com", action == Action::"trigger", resource);',
  );
  const authority = await openAuthority(declaration, { door: 'plan-epoch', log });
  authority.require({ ...ada, tokenId: 'abc' }, 'trigger', { type: 'Feed', name: 'faces' });
  assert.throws(
    () => authority.require(ada, 'redrive', { type: 'Pipeline', name: 'people' }, { all: true }),
    DeniedError,
  );
  const told = lines.map(
    ({ severity, audit, action, identity, resource, outcome, asked, door, policies, why, all, issuer }) => {
      return { severity, audit, action, identity, resource, outcome, asked, door, policies, why, all, issuer };
    },
  );
  const same = {
    severity: 'NOTICE',
    audit: true,
    action: 'access.decide',
    identity: ada.name,
    door: 'plan-epoch',
    issuer: ada.issuer,
  };
  assert.deepEqual(
    lines.map(({ tokenId }) => tokenId),
    ['abc', undefined],
  );
  assert.deepEqual(told, [
    {
      ...same,
      resource: 'Feed/faces',
      outcome: 'done',
      asked: 'trigger',
      policies: ['ada'],
      why: 'permitted by ada',
      all: undefined,
    },
    {
      ...same,
      resource: 'Pipeline/people',
      outcome: 'refused',
      asked: 'redrive',
      policies: [],
      why: 'denied: no policy permits it',
      all: true,
    },
  ]);
});

test('openAuthority() says what would be permitted, as it would decide, and leaves no line of it', async () => {
  const { lines, log } = auditLog();
  const declaration = guardedDeclaration(
    'permit (principal == Person::"ada@example.com", action == Action::"trigger", resource);',
  );
  const authority = await openAuthority(declaration, { door: 'dashboard', log });
  assert.equal(authority.wouldPermit(ada, 'trigger', { type: 'Feed', name: 'faces' }), true);
  assert.equal(authority.wouldPermit(ada, 'approve', { type: 'Feed', name: 'faces' }, { act: 'trigger' }), false);
  assert.equal(authority.wouldPermit(ada, 'trigger', { type: 'Feed', name: 'undeclared' }), false);
  assert.deepEqual(lines, []);
});

test('openAuthority() lets the door alone decide where no policies are declared, and says so', async () => {
  const { lines, log } = auditLog();
  const authority = await openAuthority(plainDeclaration({}), { door: 'plan-epoch', log });
  assert.equal(authority.hasPolicies, false);
  assert.equal(authority.require(ada, 'trigger', { type: 'Feed', name: 'any' }).allowed, true);
  assert.deepEqual(
    lines.map(({ outcome, why }) => [outcome, why]),
    [['done', 'no policies are declared']],
  );
});

test('openAuthority() permits nothing when the engine fails, and audits that', async () => {
  const { lines, log } = auditLog();
  const failing = async () => ({
    policies: [],
    match: () => [],
    decide: () => {
      throw new PolicyUnavailableError(new Error('unreachable executed'));
    },
  });
  const authority = await openAuthority(guardedDeclaration(''), { door: 'plan-epoch', log, openEngine: failing });
  assert.throws(() => authority.require(ada, 'trigger', { type: 'Feed', name: 'faces' }), PolicyUnavailableError);
  assert.deepEqual(
    lines.map(({ outcome }) => outcome),
    ['failed'],
  );
});

test('openAuthority() opens nothing with policies that do not hold', async () => {
  const { log } = auditLog();
  await assert.rejects(openAuthority(guardedDeclaration('permit (principal'), { door: 'd', log }), { code: 'CONFIG' });
});

test('DeniedError says one line, however the names are written', async () => {
  const { log } = auditLog();
  const authority = await openAuthority(guardedDeclaration(''), { door: 'd', log });
  const name = `faces\r\nSet-Cookie: a=b\u202e${'x'.repeat(10_000)}`;
  assert.throws(
    () => authority.require(ada, 'trigger', { type: 'Feed', name }),
    (error: unknown) => {
      assert.ok(error instanceof DeniedError);
      assert.match(error.message, /^[\x20-\x7e…]+$/);
      assert.ok(error.message.length < 600);
      return true;
    },
  );
});

test('openAuthority() decides of every column of a feed, in one line, and names the first that is not granted', async () => {
  const { lines, log } = auditLog();
  const declaration = guardedDeclaration(
    '@id("plain") permit (principal, action == Action::"readColumns", resource) when { !resource.sensitive };',
  );
  const authority = await openAuthority(declaration, { door: 'read-shard', log });
  const guard = columnGuard(declaration, authority, serviceAsker('read-shard@p.iam.gserviceaccount.com'));
  const faces = { name: 'faces' };
  guard(faces, { table: 'Passengers', columns: ['Id', 'Age'] });
  const refused = { table: 'Passengers', columns: ['Id'], where: "name LIKE 'A%'" };
  assert.throws(() => guard(faces, refused), /may not readColumns Column\/Passengers\.Name: denied/);
  const told = lines.map(({ resource, outcome, policies, columns, feed }) => ({
    resource,
    outcome,
    policies,
    columns,
    feed,
  }));
  assert.deepEqual(told, [
    {
      resource: 'Feed/faces',
      outcome: 'done',
      policies: ['plain'],
      columns: ['Passengers.Id', 'Passengers.Age'],
      feed: 'faces',
    },
    {
      resource: 'Feed/faces',
      outcome: 'refused',
      policies: [],
      columns: ['Passengers.Id', 'Passengers.Name'],
      feed: 'faces',
    },
  ]);
});
