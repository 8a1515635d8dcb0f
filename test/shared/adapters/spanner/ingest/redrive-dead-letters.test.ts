import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDeadLetter } from '../../../../../shared/adapters/spanner/ingest/dead-letter-store.ts';
import { redriveAll } from '../../../../../shared/adapters/spanner/ingest/redrive-all.ts';
import {
  type RedriveOutcome,
  redriveDeadLetters,
} from '../../../../../shared/adapters/spanner/ingest/redrive-dead-letters.ts';
import { pipelineVersion } from '../../../../../shared/model/events/records/pipeline-version.ts';
import { type Letters, openLetters, order } from './letters-fixture.ts';

const options = { by: 'tester@example.com' };
const everything = { class: undefined, sinceMs: undefined };

async function redrive(letters: Letters, ...ids: string[]): Promise<readonly RedriveOutcome[]> {
  return await redriveDeadLetters(letters.channel, await letters.compile('orders'), ids, options);
}

async function redriveEach(letters: Letters, pipeline: 'orders' | 'counts' = 'orders'): Promise<string[]> {
  const outcomes: string[] = [];
  for await (const { letter, result } of redriveAll(
    letters.channel,
    await letters.compile(pipeline),
    everything,
    options,
  )) {
    outcomes.push(`${letter.id} ${result.outcome}`);
  }
  return outcomes;
}

test('redriveDeadLetters() writes the row once, and keeps who did it', async () => {
  await using letters = await openLetters();
  await letters.setAside(order('order-1', '{"version": 1, "note": "first"}'));
  assert.deepEqual(await redrive(letters, 'orders/2/7'), [{ outcome: 'redriven' }]);
  assert.deepEqual(await redrive(letters, 'orders/2/7', 'nowhere'), [
    { outcome: 'already-redriven' },
    { outcome: 'unknown' },
  ]);
  assert.deepEqual(await letters.query('SELECT Note FROM Orders'), [{ Note: 'first' }]);
  const letter = await readDeadLetter(letters.channel, 'orders', 'orders/2/7');
  assert.deepEqual([letter?.redrivenBy, letter?.attemptCount], ['tester@example.com', 1]);
  const [mark] = await letters.query('SELECT COUNT(*) AS n FROM PenstockDeadLetters WHERE RedrivenAt = AttemptedAt');
  assert.equal(mark?.n, 1);
});

test('redriveDeadLetters() leaves a newer row as it is', async () => {
  await using letters = await openLetters();
  await letters.setAside(order('order-2', '{"version": 5, "note": "new"}', 1), order('order-2', '{"version": 4}', 2));
  assert.deepEqual(await redrive(letters, 'orders/2/1'), [{ outcome: 'redriven' }]);
  assert.deepEqual(await redrive(letters, 'orders/2/2'), [{ outcome: 'skipped' }]);
  assert.deepEqual(await letters.query('SELECT Note FROM Orders'), [{ Note: 'new' }]);
});

test('redriveDeadLetters() keeps what is still poison, with its new reason, and counts the attempts', async () => {
  await using letters = await openLetters();
  await letters.setAside({ ...order('order-3', '{"version": "no number"}'), poison: 'undecodable', reason: 'before' });
  for (const attempt of [1, 2]) {
    const [outcome] = await redrive(letters, 'orders/2/7');
    assert.equal(outcome?.outcome, 'poison');
    const letter = await readDeadLetter(letters.channel, 'orders', 'orders/2/7');
    assert.deepEqual([letter?.attemptCount, letter?.class, letter?.redrivenAt], [attempt, 'unmappable', undefined]);
    assert.match(letter?.reason ?? '', /Version/);
    const { pipeline } = await letters.compile('orders');
    assert.equal(letter?.pipelineVersion, pipelineVersion(pipeline));
  }
  assert.deepEqual(await letters.query('SELECT * FROM Orders'), []);
});

test('redriveDeadLetters() finds the one letter that Spanner refuses, and takes its neighbours', async () => {
  await using letters = await openLetters();
  // The unique index refuses the third.
  await letters.setAside(
    ...['one', 'two', 'one', 'three', 'four'].map((note, at) =>
      order(`o${at}`, `{"version": 1, "note": "${note}"}`, at),
    ),
  );
  assert.deepEqual(await redriveEach(letters), [
    'orders/2/0 redriven',
    'orders/2/1 redriven',
    'orders/2/2 poison',
    'orders/2/3 redriven',
    'orders/2/4 redriven',
  ]);
  const letter = await readDeadLetter(letters.channel, 'orders', 'orders/2/2');
  assert.equal(letter?.class, 'constraint');
  assert.match(letter?.reason ?? '', /OrdersByNote|[Uu]nique/);
  assert.deepEqual(await redriveEach(letters), ['orders/2/2 poison']);
});

test('redriveDeadLetters() refuses a record whose headers were too large to keep', async () => {
  await using letters = await openLetters();
  const letter = order('order-1', '{"version": 1}');
  assert.ok(letter.record);
  const headers = [{ name: 'big', value: Buffer.alloc(9 * 1024 * 1024, 'h') }];
  await letters.setAside({ ...letter, record: { ...letter.record, headers } });
  const [outcome] = await redrive(letters, 'orders/2/7');
  assert.equal(outcome?.outcome === 'poison' && outcome.class, 'too-large');
});

test('redriveAll() takes the letters of one key in the order of their offsets', async () => {
  await using letters = await openLetters();
  const versions = [3, 1, 2];
  await letters.setAside(...versions.map((version, at) => order('k', `{"version": ${version}}`, 9 + at)));
  assert.deepEqual(await redriveEach(letters), ['orders/2/9 redriven', 'orders/2/10 skipped', 'orders/2/11 skipped']);
  assert.deepEqual(await letters.query('SELECT Version FROM Orders'), [{ Version: 3 }]);
});

test('redriveAll() takes more letters than a page and a group hold, each once, while Spanner aborts commits', async () => {
  await using letters = await openLetters();
  const many = Array.from({ length: 1_250 }, (_, at) => ({
    ...order('k', `{"version": 2, "note": "n${at % 3}"}`, at),
    pipeline: 'counts',
  }));
  await letters.setAside(...many);
  letters.setAbortRate(0.2);
  const [first, second] = await Promise.all([redriveEach(letters, 'counts'), redriveEach(letters, 'counts')]);
  const redriven = [...first, ...second].filter((outcome) => outcome.endsWith(' redriven'));
  assert.equal(new Set(redriven).size, many.length);
  assert.equal(redriven.length, many.length);
  const [sum] = await letters.query('SELECT SUM(Orders) AS n, SUM(Total) AS total FROM Counts');
  assert.deepEqual(sum, { n: many.length, total: 2 * many.length });
});
