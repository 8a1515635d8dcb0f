import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openPolicyEngine, PolicyUnavailableError } from '../../../../shared/adapters/policy/policy-engine.ts';
import { ConfigError } from '../../../../shared/base/errors.ts';
import {
  type AccessAction,
  type AccessRequest,
  actionResources,
  type Circumstances,
  plainCircumstances,
  type Resource,
  type ResourceType,
  resourceTypes,
} from '../../../../shared/model/access/access-request.ts';
import type { Asker } from '../../../../shared/model/access/asker.ts';
import { guardedDeclaration } from '../../model/access/guarded-declaration.ts';

const GOOGLE = 'https://accounts.google.com';
const asked = { door: 'plan-epoch', nowMs: Date.UTC(2026, 10, 30, 9) };
const ada: Asker = { name: 'ada@example.com', issuer: GOOGLE, groups: [], kind: 'person' };
const faces: Resource = { type: 'Feed', name: 'faces' };

function request(
  more: Partial<Omit<AccessRequest, 'circumstances'>> & { about?: Partial<Circumstances> },
): AccessRequest {
  const { about, ...rest } = more;
  return {
    asker: ada,
    action: 'trigger',
    resource: faces,
    ...rest,
    circumstances: { ...plainCircumstances, ...about },
  };
}

async function problemsOf(policies: string) {
  const error = await openPolicyEngine(guardedDeclaration(policies)).then(
    () => assert.fail('the policies were taken'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ConfigError);
  return error.problems;
}

test('openPolicyEngine() denies what no policy permits, whoever asks for whatever', async () => {
  const engine = await openPolicyEngine(
    guardedDeclaration('permit (principal == Person::"nobody@example.com", action, resource);'),
  );
  const actions = Object.keys(actionResources).map((action) => fc.constant(action as AccessAction));
  const types = fc.constantFrom<ResourceType>(...resourceTypes);
  fc.assert(
    fc.property(fc.string(), fc.oneof(...actions), types, fc.string(), (name, action, type, what) => {
      const decision = engine.decide(
        request({ asker: { ...ada, name }, action, resource: { type, name: what } }),
        asked,
      );
      assert.equal(decision.allowed, false);
    }),
  );
});

test('openPolicyEngine() permits by a policy, names it, and a policy that forbids wins', async () => {
  const engine = await openPolicyEngine(
    guardedDeclaration(
      `
@id("operators") permit (principal in Group::"operators", action == Action::"trigger", resource);
@id("night") forbid (principal, action, resource) when { context.now.toTime() < duration("6h") };
`,
      { groups: { operators: ['ada@example.com'] } },
    ),
  );
  assert.deepEqual(engine.decide(request({}), asked), {
    allowed: true,
    policies: ['operators'],
    why: 'permitted by operators',
  });
  const night = engine.decide(request({}), { ...asked, nowMs: Date.UTC(2026, 10, 30, 3) });
  assert.deepEqual(night, { allowed: false, policies: ['night'], why: 'forbidden by night' });
  const other = engine.decide(request({ asker: { ...ada, name: 'bob@example.com' } }), asked);
  assert.deepEqual(other, { allowed: false, policies: [], why: 'denied: no policy permits it' });
});

test('openPolicyEngine() knows the groups of a token by its issuer alone', async () => {
  const engine = await openPolicyEngine(
    guardedDeclaration('permit (principal in Group::"https://okta.example#group:ml", action, resource);'),
  );
  const member = { ...ada, issuer: 'https://okta.example', groups: ['ml'] };
  assert.equal(engine.decide(request({ asker: member }), asked).allowed, true);
  assert.equal(engine.decide(request({ asker: { ...member, issuer: 'https://evil.example' } }), asked).allowed, false);
  const claims = {
    ...member,
    issuer: 'https://evil.example',
    groups: ['https://okta.example#group:ml', 'ml"; permit'],
  };
  assert.equal(engine.decide(request({ asker: claims }), asked).allowed, false);
});

test('openPolicyEngine() takes a name as a name, whatever is written in it', async () => {
  const engine = await openPolicyEngine(
    guardedDeclaration('permit (principal == Person::"ada@example.com", action, resource == Feed::"faces");'),
  );
  const hostile = [
    'ada@example.com"',
    '"ada@example.com',
    'ada@example.com\u0000',
    'ada@example.com\u200b',
    'x" || true || "',
    '","type":"Person","id":"ada@example.com',
    'ada@example.com/../ada@example.com',
    'аda@example.com', // the first letter is Cyrillic
    'a'.repeat(1_000_000),
  ];
  for (const name of hostile) {
    assert.equal(engine.decide(request({ asker: { ...ada, name } }), asked).allowed, false, name.slice(0, 50));
    assert.equal(engine.decide(request({ resource: { type: 'Feed', name } }), asked).allowed, false, name.slice(0, 50));
  }
  for (const name of ['../faces', 'faces/', 'FACES', 'faces\u0000', '__proto__', 'constructor', 'x/../faces']) {
    assert.equal(engine.decide(request({ resource: { type: 'Feed', name } }), asked).allowed, false, name);
  }
});

test('openPolicyEngine() reads capitals and composed letters of an address as one, so that nobody slips past a forbid', async () => {
  const engine = await openPolicyEngine(
    guardedDeclaration(`permit (principal, action, resource);
forbid (principal == Person::"ada@example.com", action, resource);`),
  );
  for (const name of ['ADA@example.com', 'ada@EXAMPLE.com', 'ａda@example.com']) {
    assert.equal(engine.decide(request({ asker: { ...ada, name } }), asked).allowed, false, name);
  }
});

test('openPolicyEngine() denies unknown actions, and actions on what they are not done to', async () => {
  const engine = await openPolicyEngine(guardedDeclaration('permit (principal, action, resource);'));
  for (const action of ['rotate', 'redrive', 'acceptCheckpoint', 'readColumns'] as const) {
    assert.equal(engine.decide(request({ action }), asked).allowed, false, action);
  }
  for (const action of ['toString', '__proto__', 'TRIGGER', 'trigger ', '']) {
    const decision = engine.decide(request({ action: action as AccessAction }), asked);
    assert.deepEqual(decision, { allowed: false, policies: [], why: 'denied: there is no such action' });
  }
});

test('openPolicyEngine() tells sensitive columns, and for which feed they are read', async () => {
  const engine = await openPolicyEngine(
    guardedDeclaration(`
@id("plain") permit (principal, action == Action::"readColumns", resource in Table::"Passengers") when { !resource.sensitive };
@id("grant") permit (principal, action == Action::"readColumns", resource == Column::"Passengers.Name")
  when { context has feed && context.feed == Feed::"faces" };`),
  );
  const read = (column: string, feed?: string) => {
    const resource: Resource = { type: 'Column', name: `Passengers.${column}` };
    return engine.decide(request({ action: 'readColumns', resource, about: { feed } }), asked).policies;
  };
  assert.deepEqual(read('Age'), ['plain']);
  assert.deepEqual(read('Name'), []);
  assert.deepEqual(read('name'), []);
  assert.deepEqual(read('Name', 'faces'), ['grant']);
  assert.deepEqual(read('Name', 'other'), []);
});

test('openPolicyEngine() names every mistake with its file, line and remedy', async () => {
  const syntax = await problemsOf('// é\npermit (principal, action,\n  resource');
  assert.deepEqual([syntax[0]?.file, syntax[0]?.line], ['./policies/p.cedar', 3]);
  const types = await problemsOf(
    'permit (principal, action, resource);\n\npermit (principal, action == Action::"trigger", resource)\nwhen {\n  context.aproved\n};',
  );
  assert.deepEqual([types.length, types[0]?.line], [1, 5]);
  assert.match(types[0]?.message ?? '', /`aproved` in context/);
  assert.match(types[0]?.remedy ?? '', /did you mean `approved`/i);
});

test('openPolicyEngine() refuses names that nothing has, templates, one id twice, and policies that can never apply', async () => {
  const unknown = await problemsOf('permit (principal, action,\n  resource == Feed::"fases");');
  assert.deepEqual([unknown[0]?.message, unknown[0]?.line], ['names Feed::"fases", which does not exist', 2]);
  assert.match(
    (await problemsOf('permit (principal in Group::"oprators", action, resource);'))[0]?.remedy ?? '',
    /access\.groups/,
  );
  assert.match(
    (await problemsOf('forbid (principal == Person::"Ada@example.com", action, resource);'))[0]?.remedy ?? '',
    /lower case/,
  );
  assert.match((await problemsOf('permit (principal == ?principal, action, resource);'))[0]?.message ?? '', /template/);
  const twice = '@id("a") permit (principal, action, resource);';
  assert.match((await problemsOf(`${twice}\n${twice}`))[0]?.message ?? '', /has the id of \.\/policies\/p\.cedar:1/);
  const never = await problemsOf('forbid (principal, action == Action::"rotate", resource == Feed::"faces");');
  assert.match(never[0]?.message ?? '', /applicable action|impossible/);
});

test('openPolicyEngine() denies everything while a policy cannot be evaluated: it may be the one that forbids', async () => {
  const engine = await openPolicyEngine(
    guardedDeclaration(`permit (principal, action, resource);
@id("broken") forbid (principal, action, resource) when { 9223372036854775807 + 1 == 0 };`),
  );
  const decision = engine.decide(request({}), asked);
  assert.equal(decision.allowed, false);
  assert.match(decision.why, /^denied: broken: .*overflow/);
});

test('openPolicyEngine() opens nothing when Cedar cannot be loaded', async () => {
  const declaration = guardedDeclaration('permit (principal, action, resource);');
  const missing = () => Promise.reject(new Error('no such file: cedar_wasm_bg.wasm'));
  await assert.rejects(openPolicyEngine(declaration, missing), PolicyUnavailableError);
});

test('openPolicyEngine() permits nothing when Cedar fails at a question', async () => {
  const cedar = await import('../../../../shared/adapters/policy/cedar-engine.ts');
  const failing = () => () => {
    throw new Error('unreachable executed');
  };
  const declaration = guardedDeclaration('permit (principal, action, resource);');
  const engine = await openPolicyEngine(declaration, async () => ({ ...cedar, prepareEngine: failing }));
  assert.throws(() => engine.decide(request({}), asked), PolicyUnavailableError);
});
