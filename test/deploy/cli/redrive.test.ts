import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { lettersDeclaration, openLetters, order } from '../../shared/adapters/spanner/ingest/letters-fixture.ts';

const launch = resolve(import.meta.dirname, '../../../deploy/cli/launch.js');
const dir = mkdtempSync(join(tmpdir(), 'redrive-'));
const config = join(dir, 'penstock.yaml');
writeFileSync(config, lettersDeclaration);
after(() => rmSync(dir, { recursive: true }));

interface Run {
  readonly status: unknown;
  readonly results: readonly Record<string, unknown>[];
  /** Audit lines, and lines of progress. */
  readonly audits: readonly Record<string, unknown>[];
  readonly progress: readonly string[];
}

async function penstock(address: string, ...args: string[]): Promise<Run> {
  const env = { ...process.env, SPANNER_EMULATOR_HOST: address, PENSTOCK_IDENTITY: 'ada@example.com' };
  const child = spawn(process.execPath, [launch, 'dead-letters', ...args, '--config', config, '--json'], { env });
  const [out, error, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  const lines = error.split('\n').filter((line) => line !== '');
  const json = (line: string): Record<string, unknown> => JSON.parse(line);
  return {
    status,
    results: out
      .split('\n')
      .filter((line) => line !== '')
      .map(json),
    audits: lines
      .filter((line) => line.startsWith('{'))
      .map(json)
      .filter(({ action }) => action === 'dead-letter.redrive'),
    progress: lines.filter((line) => !line.startsWith('{')),
  };
}

test('penstock dead-letters redrive, by two processes at once, counts every letter once and leaves an audit line of each', async () => {
  await using letters = await openLetters();
  const many = Array.from({ length: 400 }, (_, at) => ({
    ...order('k', '{"version": 1, "note": "n"}', at),
    pipeline: 'counts',
  }));
  await letters.setAside(...many);
  const runs = await Promise.all([1, 2].map(() => penstock(letters.address, 'redrive', 'counts')));
  assert.deepEqual(
    runs.map(({ status }) => status),
    [0, 0],
  );
  const redriven = runs.flatMap(({ results }) => results).filter(({ outcome }) => outcome === 'redriven');
  assert.equal(new Set(redriven.map(({ id }) => id)).size, many.length);
  assert.equal(redriven.length, many.length);
  assert.deepEqual(await letters.query('SELECT Orders, Total FROM Counts'), [{ Orders: 400, Total: 400 }]);
  const by = await letters.query('SELECT DISTINCT RedrivenBy, AttemptCount FROM PenstockDeadLetters');
  assert.deepEqual(by, [{ RedrivenBy: 'ada@example.com', AttemptCount: 1 }]);
  const audits = runs.flatMap((run) => run.audits).filter(({ result }) => result === 'redriven');
  assert.equal(audits.length, many.length);
  const { audit, action, identity, outcome, severity } = audits[0] ?? {};
  assert.deepEqual(
    { audit, action, identity, outcome, severity },
    { audit: true, action: 'dead-letter.redrive', identity: 'ada@example.com', outcome: 'done', severity: 'NOTICE' },
  );
  assert.ok(runs.some(({ progress }) => progress.includes('400 letters tried, 0 still set aside')));
});

test('penstock dead-letters redrive takes one, or those of a class; 1 says that one is still poison', async () => {
  await using letters = await openLetters();
  await letters.setAside(
    order('a', '{"version": 1}', 1),
    { ...order('b', 'no JSON', 2), poison: 'undecodable' },
    { ...order('c', '{"version": 1}', 3), poison: 'undecodable' },
  );
  const one = await penstock(letters.address, 'redrive', 'orders', 'orders/2/1');
  assert.deepEqual([one.status, one.results.map(({ outcome }) => outcome)], [0, ['redriven']]);
  const ofClass = await penstock(letters.address, 'redrive', 'orders', '--class', 'undecodable', '--since', '1h');
  assert.deepEqual([ofClass.status, ofClass.results.map(({ outcome }) => outcome)], [1, ['poison', 'redriven']]);
  assert.deepEqual(
    ofClass.audits.map(({ outcome }) => outcome),
    ['refused', 'done'],
  );
  const open = await penstock(letters.address, 'list', '--open');
  assert.deepEqual(
    open.results.map(({ id, attemptCount }) => [id, attemptCount]),
    [['orders/2/2', 1]],
  );
  assert.deepEqual((await penstock(letters.address, 'list', '--class', 'too-large')).results, []);
  const shown = await penstock(letters.address, 'show', 'orders', 'orders/2/3');
  assert.equal(shown.results[0]?.redrivenBy, 'ada@example.com');
});

test('penstock dead-letters refuses a class, a time and a letter that there are not', async () => {
  await using letters = await openLetters();
  assert.equal((await penstock(letters.address, 'list', '--class', 'odd')).status, 2);
  assert.equal((await penstock(letters.address, 'list', '--since', 'soon')).status, 2);
  assert.equal((await penstock(letters.address, 'redrive', 'orders', 'x', '--since', '1h')).status, 2);
  assert.equal((await penstock(letters.address, 'redrive', 'orders', 'x')).status, 1);
});
