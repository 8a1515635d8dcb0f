import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { groupCommits } from '../../../functions/pubsub-sink/group-commits.ts';

test('groupCommits() answers each item for itself, in order, one commit at a time, within its bounds', async () => {
  const arrivals = fc.array(fc.record({ bytes: fc.nat(50), pause: fc.boolean() }), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(
      arrivals,
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 100 }),
      async (items, maxItems, maxBytes) => {
        const groups: number[][] = [];
        let underWay = 0;
        const take = groupCommits<number, string>(
          async (group) => {
            assert.equal(++underWay, 1, 'two commits at once');
            groups.push([...group]);
            await turn();
            underWay--;
            return group.map((at) => `answer ${at}`);
          },
          { maxItems, maxBytes },
        );
        const answers: Promise<string>[] = [];
        for (const [at, { bytes, pause }] of items.entries()) {
          answers.push(take(at, bytes));
          if (pause) await turn();
        }
        assert.deepEqual(
          await Promise.all(answers),
          items.map((_, at) => `answer ${at}`),
        );
        assert.deepEqual(
          groups.flat(),
          items.map((_, at) => at),
        );
        for (const group of groups) {
          assert.ok(group.length <= maxItems);
          const bytes = group.reduce((sum, at) => sum + (items[at]?.bytes ?? 0), 0);
          assert.ok(bytes <= maxBytes || group.length === 1, `${bytes} bytes in ${group.length} items`);
        }
      },
    ),
  );
});

test('groupCommits() shares one commit among what arrives together', async () => {
  const groups: number[] = [];
  const take = groupCommits<number, number>(
    async (group) => {
      groups.push(group.length);
      return group;
    },
    { maxItems: 100, maxBytes: 1_000 },
  );
  await Promise.all(Array.from({ length: 50 }, (_, at) => take(at, 1)));
  assert.deepEqual(groups, [50]);
});

test('groupCommits() rejects each item of a group that failed, and goes on with the next', async () => {
  let calls = 0;
  const take = groupCommits<number, number>(
    async (group) => {
      if (++calls === 1) throw new Error('down');
      return group;
    },
    { maxItems: 2, maxBytes: 1_000 },
  );
  const outcomes = await Promise.allSettled([take(1, 1), take(2, 1), take(3, 1)]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected', 'fulfilled'],
  );
});
