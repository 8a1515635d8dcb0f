import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { audit } from '../../../shared/base/audit.ts';
import { jsonLog } from '../../../shared/base/log.ts';

const root = resolve(import.meta.dirname, '../../..');
const example = join(root, 'deploy/local/demo/penstock.yaml');
const dir = mkdtempSync(join(tmpdir(), 'access-'));
after(() => rmSync(dir, { recursive: true }));

function penstock(...args: string[]) {
  const { SPANNER_EMULATOR_HOST: _, ...env } = process.env;
  const options = { encoding: 'utf8', env: { ...env, GOOGLE_CLOUD_PROJECT: 'p' } } as const;
  return spawnSync(process.execPath, [join(root, 'deploy/cli/launch.js'), ...args], options);
}

/** The example, with one more file of policies beside it. */
function withPolicy(name: string, text: string): string {
  const folder = join(dir, name);
  cpSync(join(root, 'deploy/local/demo'), folder, { recursive: true });
  writeFileSync(join(folder, 'policies', name), text);
  return join(folder, 'penstock.yaml');
}

test('penstock access test runs the example’s own examples, and all hold', () => {
  const { status, stdout, stderr } = penstock('access', 'test', '--config', example);
  assert.equal(status, 0, stdout);
  assert.match(stderr, /^\d+ examples hold\.$/m);
});

test('penstock access test exits 1 for an example that does not come out as it says', () => {
  const config = withPolicy('locked.cedar', '@id("locked") forbid (principal, action, resource);');
  const { status, stdout } = penstock('access', 'test', '--config', config);
  assert.equal(status, 1);
  assert.match(
    stdout,
    /^FAILS {2}the scheduler plans epochs .*: expected allow by scheduler, and it is deny: forbidden by locked$/m,
  );
});

test('penstock access explain says who decided, with file and line, and exits 1 for what is denied', () => {
  const allowed = penstock('access', 'explain', 'ada@example.com', 'redrive', 'Pipeline/flights', '--config', example);
  assert.equal(allowed.status, 0, allowed.stderr);
  assert.match(
    allowed.stdout,
    /^allow: permitted by on-call\n[\s\S]*on-call \(\.\/policies\/people\.cedar:\d+\) permits it, and decided$/m,
  );
  const all = penstock(
    'access',
    'explain',
    'ada@example.com',
    'redrive',
    'pipeline/flights',
    '--all',
    '--json',
    '--config',
    example,
  );
  const { answer, decidedBy } = JSON.parse(all.stdout);
  assert.deepEqual([all.status, answer, decidedBy], [1, 'needs approval', ['second-person']]);
  const denied = penstock('access', 'explain', 'eve@example.net', 'view', 'Function/dashboard', '--config', example);
  assert.deepEqual([denied.status, denied.stdout.split('\n')[0]], [1, 'deny: denied: no policy permits it']);
});

test('penstock access explain exits 2 for an action and a resource that do not exist', () => {
  const { status, stderr } = penstock(
    'access',
    'explain',
    'ada@example.com',
    'obliterate',
    'everything',
    '--config',
    example,
  );
  assert.equal(status, 2);
  assert.match(stderr, /ACTION: is "obliterate"\. Use one of trigger/);
  assert.match(stderr, /WHAT: is "everything"/);
});

test('a mistake in a policy stops penstock check and every other command, with file and line', () => {
  const config = withPolicy('wrong.cedar', 'permit (principal, action,\n  resource == Feed::"dleays");');
  for (const command of [['check'], ['epoch', 'show', 'x'], ['dead-letters', 'list']]) {
    const { status, stderr } = penstock(...command, '--config', config);
    assert.equal(status, 2, stderr);
    assert.match(
      stderr,
      /policies\/wrong\.cedar:2:1 .*: names Feed::"dleays", which does not exist\. Correct its name/,
    );
  }
});

test('penstock check --compile carries the policies, and is refused without their folder', () => {
  const config = withPolicy('more.cedar', '// nothing yet\n');
  const compiled = join(dir, 'declaration.json');
  const variables = { GOOGLE_CLOUD_PROJECT: 'p', KAFKA_BROKERS: 'b:1', TRAINER_URL: 'http://t' };
  const run = () =>
    spawnSync(
      process.execPath,
      [join(root, 'deploy/cli/launch.js'), 'check', '--config', config, '--compile', compiled],
      {
        encoding: 'utf8',
        env: { ...process.env, ...variables, SPANNER_EMULATOR_HOST: '' },
      },
    );
  assert.equal(run().status, 0);
  rmSync(join(dir, 'more.cedar/policies'), { recursive: true });
  const refused = run();
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /access\.policies: names \.\/policies, which does not exist/);
  const checked = penstock('check', '--config', config);
  assert.equal(checked.status, 0);
  assert.match(checked.stderr, /nothing is guarded by policies/);
});

test('penstock audit says whether the lines of a log are whole, and exits 1 when one is missing', () => {
  const file = join(dir, 'audit.log');
  const lines: string[] = ['a line of something else'];
  const log = jsonLog('test', (line) => lines.push(line.trim()));
  for (const resource of ['a', 'b', 'c'])
    audit(log, { action: 'secret.read', identity: 'i', resource, outcome: 'done' });
  writeFileSync(file, lines.join('\n'));
  const whole = penstock('audit', file, '--json');
  assert.deepEqual([whole.status, JSON.parse(whole.stdout)], [0, { lines: 3, chains: 1, found: [] }]);
  writeFileSync(file, lines.toSpliced(2, 1).join('\n'));
  const gap = penstock('audit', file);
  assert.equal(gap.status, 1);
  assert.match(gap.stdout, /^line 3 of \S+ comes after line 1: lines between them are missing/);
  assert.equal(penstock('audit', join(dir, 'none.log')).status, 2);
});
