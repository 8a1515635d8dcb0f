import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { TopicPartition } from '../../../../../shared/adapters/kafka/driver.ts';
import { assignPartitions, type GroupMember } from '../../../../../shared/adapters/kafka/group/assign-partitions.ts';
import {
  readAssignment,
  readSubscription,
  writeAssignment,
  writeSubscription,
} from '../../../../../shared/adapters/kafka/group/consumer-protocol.ts';

const topics = ['a', 'b', 'c'];
const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;
const counts = fc
  .tuple(fc.nat(8), fc.nat(8), fc.nat(3))
  .map((numbers) => new Map(numbers.map((count, index) => [topics[index] ?? '', count])));

/** Lets members take what they are given until nothing moves any more, as a group does. */
function settle(members: readonly GroupMember[], partitionCounts: ReadonlyMap<string, number>): readonly GroupMember[] {
  let current = members;
  for (let round = 1; round <= 4; round++) {
    const shares = assignPartitions(current, partitionCounts);
    const generation = Math.max(0, ...current.map((member) => member.generation)) + 1;
    const next = current.map((member) => ({ ...member, generation, owned: shares.get(member.memberId) ?? [] }));
    const isSame = next.every((member, index) => {
      return String(member.owned.map(nameOf).sort()) === String(current[index]?.owned.map(nameOf).sort());
    });
    if (isSame) return next;
    current = next;
  }
  throw new Error('The group does not come to rest');
}

const member = (memberId: string, wanted: readonly string[] = topics): GroupMember => {
  return { memberId, topics: wanted, owned: [], generation: -1 };
};
const group = fc
  .array(fc.subarray(topics, { minLength: 1 }), { minLength: 1, maxLength: 6 })
  .map((wanted) => wanted.map((some, index) => member(`m${index}`, some)));

test('assignPartitions() never gives a partition to two, nor one that its holder has not let go of', () => {
  const held = fc.array(
    fc.record(
      {
        topics: fc.subarray(topics),
        owned: fc.array(
          fc.record({ topic: fc.constantFrom(...topics), partition: fc.nat(9) }, { noNullPrototype: true }),
          { maxLength: 12 },
        ),
        generation: fc.integer({ min: -1, max: 3 }),
      },
      { noNullPrototype: true },
    ),
    { minLength: 1, maxLength: 5 },
  );
  fc.assert(
    fc.property(held, counts, (some, partitionCounts) => {
      const members = some.map((one, index) => ({ ...one, memberId: `m${index}` }));
      const shares = assignPartitions(members, partitionCounts);
      const given = [...shares.values()].flat().map(nameOf);
      assert.equal(new Set(given).size, given.length);
      for (const [memberId, partitions] of shares) {
        const own = members.find((one) => one.memberId === memberId);
        for (const one of partitions) {
          assert.ok(own?.topics.includes(one.topic));
          assert.ok(one.partition < (partitionCounts.get(one.topic) ?? 0));
          // Whoever else says to hold it says so of an earlier generation, or in vain against another.
          const claims = members.filter(({ owned }) => owned.some((other) => nameOf(other) === nameOf(one)));
          const latest = Math.max(...claims.map(({ generation }) => generation));
          const newest = claims.filter(({ generation }) => generation === latest);
          assert.ok(newest.length !== 1 || newest[0]?.memberId === memberId);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('assignPartitions() comes to rest with all partitions given away, as evenly as subscriptions allow', () => {
  fc.assert(
    fc.property(group, counts, (members, partitionCounts) => {
      const settled = settle(members, partitionCounts);
      const given = settled.flatMap(({ owned }) => owned.map(nameOf)).sort();
      const wanted = [...partitionCounts]
        .filter(([topic]) => members.some((one) => one.topics.includes(topic)))
        .flatMap(([topic, count]) => Array.from({ length: count }, (_, partition) => nameOf({ topic, partition })));
      assert.deepEqual(given, wanted.sort());
      for (const from of settled) {
        for (const to of settled) {
          const couldMove = from.owned.some(({ topic }) => to.topics.includes(topic));
          assert.ok(!couldMove || from.owned.length <= to.owned.length + 1);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('assignPartitions() moves no more than it must when one joins or leaves', () => {
  const partitionCounts = new Map([['a', 12]]);
  const three = settle(
    ['x', 'y', 'z'].map((name) => member(name)),
    partitionCounts,
  );
  const four = settle([...three, member('w')], partitionCounts);
  for (const before of three) {
    const after = four.find(({ memberId }) => memberId === before.memberId);
    assert.equal(after?.owned.length, 3);
    assert.ok(after?.owned.every((one) => before.owned.some((other) => nameOf(other) === nameOf(one))));
  }
  const two = settle(three.slice(1), partitionCounts);
  for (const before of three.slice(1)) {
    const after = two.find(({ memberId }) => memberId === before.memberId);
    assert.equal(after?.owned.length, 6);
    assert.ok(before.owned.every((one) => after?.owned.some((other) => nameOf(other) === nameOf(one))));
  }
});

test('assignPartitions() does not depend on the order in which members come', () => {
  fc.assert(
    fc.property(group, counts, (members, partitionCounts) => {
      assert.deepEqual(
        assignPartitions(members, partitionCounts),
        assignPartitions([...members].reverse(), partitionCounts),
      );
    }),
  );
});

test('subscriptions and assignments are read as they were written', () => {
  const owned = [
    { topic: 'a', partition: 0 },
    { topic: 'a', partition: 7 },
    { topic: 'b', partition: 1 },
  ];
  const subscription = { topics: ['a', 'b'], owned, generation: 5 };
  assert.deepEqual(readSubscription(writeSubscription(subscription)), subscription);
  assert.deepEqual(readAssignment(writeAssignment(owned)), owned);
  assert.deepEqual(readAssignment(Buffer.alloc(0)), []);
  // Version 0, as kafkajs writes it: topics and no user data.
  const old = Buffer.from('0000' + '00000001' + '000161' + 'ffffffff', 'hex');
  assert.deepEqual(readSubscription(old), { topics: ['a'], owned: [], generation: -1 });
});

test('what a member writes never makes another one read beyond it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      for (const read of [readSubscription, readAssignment]) {
        try {
          read(Buffer.from(bytes));
        } catch (error) {
          assert.ok(error instanceof Error && error.name === 'MalformedAnswerError', String(error));
        }
      }
    }),
    { numRuns: 2_000 },
  );
});
