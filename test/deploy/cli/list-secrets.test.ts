import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { writeProgram } from '../../functions/rotate-secrets/strategies/write-program.ts';
import { openSecretsStage, type SecretsStage, stageDatabase } from './secrets-stage.ts';

/** Takes every step but the trial. */
const REFUSES_TRIALS = `
const { readFileSync } = require('node:fs');
if (JSON.parse(readFileSync(0, 'utf8')).step === 'test') process.exit(65);
process.stdout.write('{}');
`;

let stage: SecretsStage;

before(async () => {
  stage = await openSecretsStage();
  mkdirSync(join(stage.dir, 'policies'));
  writeFileSync(
    join(stage.dir, 'policies/own.cedar'),
    `permit (principal == Person::"ada@example.com", action, resource);
permit (principal == Person::"bob@example.com", action == Action::"view", resource == Secret::"api-key");`,
  );
  stage.declare(`spanner: { database: ${stageDatabase} }
access: { policies: ./policies }
secrets:
  api-key: { strategy: hmac-key, every: 7d, overlap: 1h }
  new-key: { strategy: hmac-key, every: 7d }
  warehouse: { strategy: command, command: { run: ["${writeProgram(stage.dir, REFUSES_TRIALS)}"] }, every: 28d }
`);
  for (const name of ['api-key', 'warehouse'])
    await stage.addSecret(name, JSON.stringify({ id: 'first', key: 'AAAA' }));
  const rotated = await stage.penstock('ada', 'rotate', 'api-key');
  assert.equal(rotated.status, 0, rotated.error);
  const failed = await stage.penstock('ada', 'rotate', 'warehouse');
  assert.equal(failed.status, 1);
});
after(() => stage[Symbol.asyncDispose]());

test('penstock secrets list --json tells versions, ages, what is under way, and at which step what failed, worst first', async () => {
  const { status, out, error } = await stage.penstock('ada', 'secrets', 'list', '--json');
  assert.equal(status, 0, error);
  const [warehouse, key, untouched] = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    [warehouse.name, warehouse.strategy, warehouse.result, warehouse.current, warehouse.nextAtMs],
    ['warehouse', 'command', 'failed', 1, null],
  );
  const { step, failedStep, reason } = warehouse.lastFailed;
  assert.deepEqual([step, failedStep], ['failed', 'test']);
  assert.match(reason, /refused step test/);
  assert.equal(warehouse.command, 'npx penstock rotate warehouse');
  assert.deepEqual([key.name, key.result, key.current, key.last.step], ['api-key', 'rotated', 2, 'retire']);
  assert.deepEqual([key.previous.version, key.previous.state], [1, 'enabled']);
  assert.equal(key.previous.untilMs - key.last.atMs, 3_600_000);
  assert.ok(key.nextAtMs > key.last.atMs && key.ageMs >= 0);
  assert.deepEqual([key.command, key.lastFailed, key.isOverdue], [null, null, false]);
  assert.deepEqual(
    [untouched.name, untouched.result, untouched.current, untouched.last],
    ['new-key', 'none', null, null],
  );
});

test('penstock secrets list says the same in words, with the command to go on', async () => {
  const { out } = await stage.penstock('ada', 'secrets', 'list');
  assert.match(out, /^warehouse {2}command {2}failed\n {2}current {3}version 1, age not known of 28 d;/);
  assert.match(out, / {2}last {6}asked-[\w-]+: failed at step test, .* refused step test/);
  assert.match(out, / {2}go on by {2}npx penstock rotate warehouse\n/);
  assert.match(out, /api-key {2}hmac-key {2}rotated\n {2}current {3}version 2, [^;]+ old of 7 d; next rotation in 6 d/);
  assert.match(out, / {2}previous {2}version 1, works on, until .* UTC at least\n/);
  assert.match(out, /new-key {2}hmac-key {2}not rotated yet\n/);
});

test('penstock secrets list shows one secret to who may see it, and no other', async () => {
  const own = await stage.penstock('bob', 'secrets', 'list', 'api-key', '--json');
  assert.equal(own.status, 0, own.error);
  assert.equal(JSON.parse(own.out).name, 'api-key');
  for (const names of [[], ['warehouse']]) {
    const refused = await stage.penstock('bob', 'secrets', 'list', ...names);
    assert.deepEqual([refused.status, refused.out], [1, '']);
  }
  const unknown = await stage.penstock('ada', 'secrets', 'list', 'warehous');
  assert.equal(unknown.status, 2);
  assert.match(unknown.error, /secrets.warehous: is not declared.*api-key, new-key, warehouse/s);
});
