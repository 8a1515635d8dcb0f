import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { lettersDeclaration, openLetters, order } from '../../shared/adapters/spanner/ingest/letters-fixture.ts';

const launch = resolve(import.meta.dirname, '../../../deploy/cli/launch.js');
const dir = mkdtempSync(join(tmpdir(), 'approvals-'));
const config = join(dir, 'penstock.yaml');
after(() => rmSync(dir, { recursive: true }));

mkdirSync(join(dir, 'policies'));
writeFileSync(
  join(dir, 'policies/two.cedar'),
  `permit (principal in Group::"operators", action, resource);
permit (principal == Person::"viewer@example.com", action == Action::"view", resource);
@id("second-person") forbid (principal, action == Action::"redrive", resource) when { context.all } unless { context.approved };`,
);
writeFileSync(
  config,
  `${lettersDeclaration}
access:
  policies: ./policies
  groups: { operators: [ada@example.com, bob@example.com] }
  sensitive: { Orders: [Note] }`,
);

async function penstock(address: string, who: string, ...args: string[]) {
  const env = { ...process.env, SPANNER_EMULATOR_HOST: address, PENSTOCK_IDENTITY: `${who}@example.com` };
  const child = spawn(process.execPath, [launch, ...args, '--config', config, '--json'], { env });
  const [out, error, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  const results = out
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Record<string, unknown> => JSON.parse(line));
  return { status, results, error };
}

test('penstock dead-letters redrive of all letters waits for a second person’s yes, and then runs once', async () => {
  await using letters = await openLetters();
  await letters.setAside(order('a', '{"version": 1}', 1), order('b', '{"version": 2}', 2));
  const as = (who: string, ...args: string[]) => penstock(letters.address, who, ...args);

  assert.equal((await as('ada', 'dead-letters', 'redrive', 'orders', 'orders/2/1')).status, 0);
  const stranger = await as('eve', 'dead-letters', 'redrive', 'orders');
  assert.deepEqual([stranger.status, stranger.results], [1, []]);
  assert.match(stranger.error, /eve@example\.com may not redrive Pipeline\/orders: forbidden by second-person/);

  const asked = await as('ada', 'dead-letters', 'redrive', 'orders');
  assert.equal(asked.status, 1);
  const id = /approvals approve ([0-9a-f-]{36})/.exec(asked.error)?.[1] ?? '';
  const [listed] = (await as('bob', 'approvals', 'list')).results;
  assert.deepEqual([listed?.id, listed?.state, listed?.requestedBy], [id, 'requested', 'ada@example.com']);

  const own = await as('ada', 'approvals', 'approve', id);
  assert.equal(own.status, 1);
  assert.match(own.error, /nobody approves their own request/);
  const yes = await as('bob', 'approvals', 'approve', id);
  assert.deepEqual([yes.status, yes.results[0]?.state, yes.results[0]?.decidedBy], [0, 'approved', 'bob@example.com']);

  const otherClass = await as('ada', 'dead-letters', 'redrive', 'orders', '--class', 'constraint');
  assert.equal(otherClass.status, 1, 'a yes for all letters is none for those of a class');
  const runs = await Promise.all([1, 2].map(() => as('ada', 'dead-letters', 'redrive', 'orders')));
  assert.deepEqual(runs.map(({ status }) => status).sort(), [0, 1]);
  assert.deepEqual(await letters.query('SELECT COUNT(*) AS n FROM Orders'), [{ n: 2 }]);
  const [ran] = (await as('bob', 'approvals', 'show', id)).results;
  assert.deepEqual([ran?.state, ran?.error], ['done', null]);
  assert.equal((await as('bob', 'approvals', 'deny', id)).status, 1);
});

test('penstock dead-letters masks what may be sensitive for those who may not read it, and for nobody else', async () => {
  await using letters = await openLetters();
  const reason = 'Column Version: "Lovelace" is no INT64';
  await letters.setAside({
    ...order('k7', '{"version": "Lovelace", "note": "Lovelace", "nots": "Lovelace"}', 1),
    reason,
  });
  const viewer = (...args: string[]) => penstock(letters.address, 'viewer', 'dead-letters', ...args);
  for (const run of [await viewer('list'), await viewer('show', 'orders', 'orders/2/1')]) {
    assert.equal(run.status, 0, run.error);
    const [letter] = run.results;
    assert.equal(letter?.reason, 'Column Version: (masked)');
    assert.doesNotMatch(JSON.stringify({ ...letter, shown: null }) + run.error, /Lovelace/);
  }
  const [shown] = (await viewer('show', 'orders', 'orders/2/1')).results;
  // The version's own field is plain, and the viewer may see what made it poison.
  const headers = [
    { name: 'trace', value: '(masked)' },
    { name: 'raw', value: '(masked)' },
  ];
  assert.deepEqual(shown?.shown, { key: 'k7', value: '{"version":"Lovelace","(masked)":2}', headers });
  const [whole] = (await penstock(letters.address, 'ada', 'dead-letters', 'show', 'orders', 'orders/2/1')).results;
  assert.equal(whole?.reason, reason);
  assert.match(Buffer.from(String(whole?.value), 'base64').toString(), /"nots": "Lovelace"/);
  assert.equal((await penstock(letters.address, 'eve', 'dead-letters', 'list')).status, 1);
});
