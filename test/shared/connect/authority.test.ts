import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PolicyUnavailableError } from '../../../shared/adapters/policy/policy-engine.ts';
import { jsonLog } from '../../../shared/base/log.ts';
import { openAuthority } from '../../../shared/connect/authority.ts';
import type { Asker } from '../../../shared/model/access/asker.ts';
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
  authority.require(ada, 'trigger', { type: 'Feed', name: 'faces' });
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
