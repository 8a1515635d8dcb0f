import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PoisonClass } from '../../../../../shared/model/events/records/poison.ts';
import {
  type BatchVerdict,
  PoisonShareError,
  type PoisonWindow,
  poisonWindow,
} from '../../../../../shared/model/events/records/poison-window.ts';
import { pipeline } from '../pipeline-fixture.ts';

function windowOf(share: number, of: number): PoisonWindow {
  const window = poisonWindow({ ...pipeline(), name: 'orders', poisonLimit: { share, of } });
  assert.ok(window);
  return window;
}

/** One letter a record: `.` good, `x` undecodable, `c` constraint. */
function verdict(records: string, first = 0): BatchVerdict {
  const classes: Readonly<Record<string, PoisonClass>> = { x: 'undecodable', c: 'constraint' };
  const dead = [...records].flatMap((letter, at) => {
    const poison = classes[letter];
    return poison ? [{ at, poison, reason: `broken ${letter}`, id: `orders/0/${first + at}` }] : [];
  });
  return { recordCount: records.length, dead };
}

test('poisonWindow() is none for a pipeline without a limit', () => {
  assert.equal(poisonWindow(pipeline()), undefined);
});

test('poisonWindow() stops the batch in which the share is passed, and names counts, the most frequent class and an example', () => {
  const window = windowOf(0.3, 10);
  window.admit(verdict('x..'));
  window.add(verdict('x..'));
  window.admit(verdict('.xc', 3));
  window.add(verdict('.xc', 3));
  assert.throws(
    () => window.admit(verdict('..x', 6)),
    (error: unknown) => {
      assert.ok(error instanceof PoisonShareError);
      assert.equal(error.poisonCount, 4);
      assert.match(
        error.message,
        /^Pipeline orders stops: 4 of its last 10 records are poison, over its limit of 30 %/,
      );
      assert.match(error.message, /Most of them \(3\) are undecodable, such as orders\/0\/8: broken x/);
      return true;
    },
  );
});

test('poisonWindow() forgets what lies further back than the window', () => {
  const window = windowOf(0.1, 10);
  for (let round = 0; round < 50; round++) {
    window.admit(verdict('x.........'));
    window.add(verdict('x.........'));
  }
  window.add(verdict('.........x'));
  assert.throws(() => window.admit(verdict('........x')), /stops: 2 of its last 10/);
});

test('poisonWindow() finds the share in the middle of a batch that is longer than the window', () => {
  const window = windowOf(0.2, 10);
  assert.throws(() => window.admit(verdict(`${'.'.repeat(50)}xxx${'.'.repeat(50)}`)), PoisonShareError);
  window.admit(verdict(`xx${'.'.repeat(20)}xx${'.'.repeat(20)}xx`));
});

test('admit() of poisonWindow() remembers nothing: a batch that was not committed may come again', () => {
  const window = windowOf(0.1, 10);
  for (let again = 0; again < 5; again++) window.admit(verdict('x'));
});

test('poisonWindow() with a share of 0 stops at the first poison', () => {
  assert.throws(() => windowOf(0, 1_000).admit(verdict('.x')), PoisonShareError);
});

test('poisonWindow() stops exactly where counting the last records afresh would, however they are cut into batches', () => {
  const records = fc.array(fc.constantFrom('.', '.', '.', 'x', 'c'), { maxLength: 200 });
  const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(
      records,
      cuts,
      fc.integer({ min: 10, max: 60 }),
      fc.integer({ min: 0, max: 10 }),
      (all, sizes, of, tenth) => {
        const window = windowOf(tenth / 10, of);
        const stopsAt = all.findIndex((_, at) => {
          const last = all.slice(Math.max(0, at + 1 - of), at + 1);
          return last.filter((letter) => letter !== '.').length > Math.floor((tenth * of) / 10);
        });
        let at = 0;
        for (let turn = 0; at < all.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          const batch = verdict(all.slice(at, at + size).join(''), at);
          const isOver = stopsAt >= at && stopsAt < at + size;
          if (isOver) assert.throws(() => window.admit(batch), PoisonShareError);
          else window.admit(batch);
          if (isOver) return;
          window.add(batch);
          at += size;
        }
        assert.equal(stopsAt, -1);
      },
    ),
  );
});
