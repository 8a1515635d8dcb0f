import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutBlock, shardOrder } from '../../../../shared/model/epochs/cut-block.ts';
import { epochId } from '../../../../shared/model/epochs/epoch-id.ts';
import { permutation } from '../../../../shared/model/epochs/random.ts';

const shard = fc.record({
  seed: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  shard: fc.nat(1000),
  batchRows: fc.integer({ min: 1, max: 40 }),
  rowCount: fc.nat(1500),
  every: fc.integer({ min: 2, max: 11 }),
});

/** All batches of a shard from one position on, as `sequence role rows…`. */
function read(
  given: typeof shard extends fc.Arbitrary<infer T> ? T : never,
  fromBlock: number,
  firstSequence: number,
): string[] {
  const size = given.batchRows * 8;
  const texts: string[] = [];
  let next = firstSequence;
  for (let block = fromBlock; block * size < given.rowCount; block += 1) {
    const rowCount = Math.min(size, given.rowCount - block * size);
    const place = { ...given, block, rowCount, firstSequence: next };
    const batches = cutBlock(place, (row) => ((block * size + row) % given.every === 0 ? 'evaluate' : 'train'));
    for (const { sequence, role, rows } of batches) {
      texts.push(`${sequence} ${role} ${Array.from(rows, (row) => block * size + row).join(' ')}`);
    }
    next += batches.length;
  }
  return texts;
}

test('cutBlock() puts every row of a shard into exactly one batch of its role, with sequences from 0 on', () => {
  fc.assert(
    fc.property(shard, (given) => {
      const batches = read(given, 0, 0).map((text) => text.split(' '));
      assert.deepEqual(
        batches.map(([sequence]) => Number(sequence)),
        batches.map((_, index) => index),
      );
      for (const [, role, ...rows] of batches) {
        assert.ok(rows.length >= 1 && rows.length <= given.batchRows);
        for (const row of rows) assert.equal(role, Number(row) % given.every === 0 ? 'evaluate' : 'train');
      }
      const rows = batches.flatMap(([, , ...texts]) => texts.map(Number)).toSorted((left, right) => left - right);
      assert.deepEqual(
        rows,
        Array.from({ length: given.rowCount }, (_, index) => index),
      );
    }),
  );
});

test('cutBlock() gives the same batches from any block on', () => {
  fc.assert(
    fc.property(shard, fc.nat(20), (given, wanted) => {
      const whole = read(given, 0, 0);
      const block = Math.min(wanted, Math.floor(given.rowCount / (given.batchRows * 8)));
      const before = read({ ...given, rowCount: block * given.batchRows * 8 }, 0, 0).length;
      assert.deepEqual(read(given, block, before), whole.slice(before));
    }),
  );
});

test('permutation() is fair, and another seed, shard or block gives another one', () => {
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 6000; seed += 1) {
    const order = permutation(3, [seed]).join('');
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  assert.equal(counts.size, 6);
  for (const count of counts.values()) assert.ok(count > 850 && count < 1150, `${count} of 6000`);
  const orders = [[7], [8], [7, 1], [7, 1, 1], [7, 2, 1], [7 + 2 ** 32]].map((words) => permutation(50, words).join());
  assert.equal(new Set(orders).size, orders.length);
});

test('shardOrder() holds every shard once and depends on nothing but seed and count', () => {
  const order = shardOrder(7, 100);
  assert.deepEqual(order, shardOrder(7, 100));
  assert.deepEqual(
    order.toSorted(),
    Int32Array.from({ length: 100 }, (_, index) => index),
  );
});

test('epochId() names the same tick alike and refuses what cannot be a name', () => {
  assert.equal(epochId('delays', { scheduleTime: '2026-11-21T07:00:00Z', nowMs: 1 }), 'delays-20261121T070000Z');
  assert.equal(epochId('delays', { scheduleTime: '2026-11-21T08:00:00+01:00', nowMs: 2 }), 'delays-20261121T070000Z');
  assert.equal(epochId('delays', { idempotencyKey: 'by-hand_1', nowMs: 1 }), 'delays-by-hand_1');
  assert.equal(epochId('delays', { nowMs: Date.UTC(2026, 10, 21, 7, 0, 0, 123) }), 'delays-20261121T070000123Z');
  assert.throws(() => epochId('delays', { scheduleTime: 'soon', nowMs: 1 }), /"soon" is not RFC 3339/);
  assert.throws(() => epochId('delays', { idempotencyKey: '../x', nowMs: 1 }), RangeError);
  assert.throws(() => epochId('de/lays', { nowMs: 1 }), RangeError);
});
