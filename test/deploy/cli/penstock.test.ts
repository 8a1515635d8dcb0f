import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';

const root = resolve(import.meta.dirname, '../../..');
const example = join(root, 'deploy/local/demo/penstock.yaml');
const dir = mkdtempSync(join(tmpdir(), 'cli-'));
after(() => rmSync(dir, { recursive: true }));

function penstock(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'deploy/cli/launch.js'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}

test('penstock check takes the example and says what it declares', () => {
  const { status, stdout } = penstock(['check', '--config', example]);
  assert.equal(status, 0);
  assert.match(stdout, /pipeline flights: Kafka flights → Flights \(upsert\)/);
  assert.match(stdout, /Not set here, needed to run: .*TRAINER_URL/);
});

test('penstock check --json prints one object', () => {
  const { status, stdout } = penstock(['check', '--config', example, '--json']);
  assert.equal(status, 0);
  assert.deepEqual(JSON.parse(stdout).feeds, ['delays']);
});

test('penstock check exits 2 and names every mistake with its place', () => {
  const broken = join(dir, 'broken.yaml');
  writeFileSync(
    broken,
    readFileSync(example, 'utf8').replace('mode: upsert', 'mode: upset').replace('seed: 7', 'sed: 7'),
  );
  const { status, stderr } = penstock(['check', '--config', broken]);
  assert.equal(status, 2);
  assert.match(stderr, /broken\.yaml:17:11 pipelines\.flights\.mode: is "upset"\. Use one of/);
  assert.match(stderr, /feeds\.delays\.sed: is not a setting/);
});

test('penstock check --compile needs the variables that running needs', () => {
  const compiled = join(dir, 'declaration.json');
  const refused = penstock(['check', '--config', example, '--compile', compiled]);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /names the variable TRAINER_URL, which is not set/);
  const env = { GOOGLE_CLOUD_PROJECT: 'p', KAFKA_BROKERS: 'b:1', TRAINER_URL: 'http://t' };
  assert.equal(penstock(['check', '--config', example, '--compile', compiled], env).status, 0);
  assert.equal(JSON.parse(readFileSync(compiled, 'utf8')).version, 1);
});

test('penstock exits 2 for an unknown command, a bad option and a missing declaration', () => {
  assert.equal(penstock(['nonsense']).status, 2);
  assert.equal(penstock(['demo', '--events', 'many']).status, 2);
  const missing = penstock(['migrate', '--config', join(dir, 'none.yaml')]);
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /does not exist\. Name the declaration with --config FILE/);
});

test('penstock --help exits 0', () => {
  assert.equal(penstock(['--help']).status, 0);
});
