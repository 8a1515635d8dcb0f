import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  countDeadLetters,
  type DeadLetterFilter,
  type DeadLetterSummary,
  listDeadLetters,
  readDeadLetter,
} from '../../../../../shared/adapters/spanner/ingest/dead-letter-store.ts';
import { type Letters, openLetters, order } from './letters-fixture.ts';

const all: DeadLetterFilter = { pipeline: undefined, class: undefined, sinceMs: undefined, isOpen: false };

async function idsOf(letters: Letters, filter: Partial<DeadLetterFilter>): Promise<string[]> {
  const found = await listDeadLetters(letters.channel, { ...all, ...filter }, { order: 'oldest', limit: 100 });
  assert.equal((await countDeadLetters(letters.channel, { ...all, ...filter })).count, found.length);
  return found.map(({ id }) => id);
}

test('readDeadLetter() gives key, value and headers back byte for byte, over several parts too', async () => {
  await using letters = await openLetters();
  const value = Buffer.alloc(12 * 1024 * 1024, 'x');
  value[value.length - 1] = 0xff;
  await letters.setAside(order('k', value));
  const letter = await readDeadLetter(letters.channel, 'orders', 'orders/2/7');
  assert.ok(letter);
  assert.ok(letter.record.value?.equals(value));
  assert.equal(letter.record.key?.toString(), 'k');
  assert.deepEqual(letter.record.headers[1], { name: 'raw', value: Buffer.from([0xff, 0x00]) });
  assert.deepEqual([letter.record.timestampMs, letter.record.offset, letter.isWhole], [1_000, 7n, true]);
  assert.equal(letter.pipelineVersion, 'a'.repeat(16));
  assert.equal((await listDeadLetters(letters.channel, all, { order: 'newest', limit: 10 })).length, 1);
});

test('readDeadLetter() reads a letter that replaced a longer one without what is left of that', async () => {
  await using letters = await openLetters();
  await letters.setAside(order('k', Buffer.alloc(20 * 1024 * 1024, 'x')));
  await letters.setAside(order('k', 'short'));
  const letter = await readDeadLetter(letters.channel, 'orders', 'orders/2/7');
  assert.equal(letter?.record.value?.toString(), 'short');
});

test('readDeadLetter() tells a letter whose headers were too large to keep, and knows none of another pipeline', async () => {
  await using letters = await openLetters();
  const letter = order('k', '{}');
  assert.ok(letter.record);
  const headers = [{ name: 'big', value: Buffer.alloc(9 * 1024 * 1024, 'h') }];
  await letters.setAside({ ...letter, record: { ...letter.record, headers } });
  assert.equal((await readDeadLetter(letters.channel, 'orders', 'orders/2/7'))?.isWhole, false);
  assert.equal(await readDeadLetter(letters.channel, 'counts', 'orders/2/7'), undefined);
});

test('listDeadLetters() chooses by pipeline, class, time and whether they wait', async () => {
  await using letters = await openLetters();
  await letters.setAside({ ...order('a', '{}', 1), poison: 'undecodable' }, order('b', '{}', 2));
  await letters.setAside({ ...order('c', '{}', 3), pipeline: 'counts' });
  const [, , last] = await listDeadLetters(letters.channel, all, { order: 'oldest', limit: 3 });
  assert.match(last?.recordedAt ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  assert.deepEqual(await idsOf(letters, {}), ['orders/2/1', 'orders/2/2', 'orders/2/3']);
  assert.deepEqual(await idsOf(letters, { pipeline: 'orders' }), ['orders/2/1', 'orders/2/2']);
  assert.deepEqual(await idsOf(letters, { class: 'undecodable' }), ['orders/2/1']);
  assert.deepEqual(await idsOf(letters, { sinceMs: Date.parse(last?.recordedAt ?? '') + 1_000 }), []);
  assert.deepEqual(await idsOf(letters, { sinceMs: 0, until: last?.recordedAt }), await idsOf(letters, {}));
  await letters.database
    .table('PenstockDeadLetters')
    .update([{ Pipeline: 'orders', DeadLetterId: 'orders/2/1', Part: 0, RedrivenAt: 'spanner.commit_timestamp()' }]);
  assert.deepEqual(await idsOf(letters, { isOpen: true }), ['orders/2/2', 'orders/2/3']);
});

test('listDeadLetters() gives every letter once, page by page, in both orders', async () => {
  await using letters = await openLetters();
  // Offsets 9 and 10 of one commit are in the order of numbers, not of their texts.
  for (const offsets of [[5], [9, 10, 8], [1, 2, 3, 4]]) {
    await letters.setAside(...offsets.map((offset) => order('k', '{}', offset)));
  }
  const oldest = ['5', '8', '9', '10', '1', '2', '3', '4'];
  for (const [direction, wanted] of [
    ['oldest', oldest],
    ['newest', oldest.toReversed()],
  ] as const) {
    for (const limit of [1, 2, 3, 8, 9]) {
      const found: DeadLetterSummary[] = [];
      for (;;) {
        const page = await listDeadLetters(letters.channel, all, { order: direction, limit, after: found.at(-1) });
        found.push(...page);
        if (page.length < limit) break;
      }
      assert.deepEqual(
        found.map(({ offset }) => offset),
        wanted,
        `${direction} by ${limit}`,
      );
    }
  }
});
