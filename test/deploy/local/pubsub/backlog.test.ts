import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Backlog, type Consumer, type Delivery } from '../../../../deploy/local/pubsub/backlog.ts';
import { makeMessage } from '../../../../deploy/local/pubsub/message.ts';

type Step =
  | { readonly kind: 'lease' | 'ack' | 'nack' | 'add'; readonly pick: number }
  | { readonly kind: 'wait'; readonly ms: number };

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('lease', 'ack', 'nack', 'add'), pick: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.integer({ min: 1, max: 15_000 }) }) },
  ),
  { maxLength: 120 },
) as fc.Arbitrary<Step[]>;

const consumer: Consumer = { released() {} };

/** Drives a backlog at random, then acknowledges all that it still hands out. */
function drive(steps: readonly Step[], ordered: boolean) {
  const rules = {
    ordered,
    exactlyOnce: false,
    retry: { minMs: 100, maxMs: 1000 },
    maxDeliveryAttempts: undefined,
    retentionMs: 1e12,
  };
  const backlog = new Backlog({ rules, firstLease: 1, deadLetter: () => false });
  const delivered: Delivery[] = [];
  const out: Delivery[] = [];
  const removed: string[] = [];
  let nowMs = 1;
  let added = 0;
  const add = (): void => {
    added += 1;
    const orderingKey = `k${added % 3}`;
    backlog.add(
      makeMessage({ id: String(added), publishTimeMs: nowMs, orderingKey, attributes: {}, data: Buffer.of(1) }),
    );
  };
  const lease = (maxMessages: number): Delivery[] => {
    backlog.expire(nowMs);
    const deliveries = backlog.lease({ nowMs, deadlineMs: 10_000, maxMessages, maxBytes: 1e9, consumer });
    delivered.push(...deliveries);
    out.push(...deliveries);
    return deliveries;
  };
  const acknowledge = (delivery: Delivery | undefined): void => {
    if (delivery) backlog.acknowledge(delivery.message.id, delivery.lease);
    removed.push(...backlog.takeRemoved().map(({ id }) => id));
  };
  for (const step of steps) {
    if (step.kind === 'wait') nowMs += step.ms;
    else if (step.kind === 'add') add();
    else if (step.kind === 'lease') lease(1 + (step.pick % 5));
    else {
      backlog.expire(nowMs);
      const [delivery] = out.splice(step.pick % Math.max(1, out.length), 1);
      if (step.kind === 'ack') acknowledge(delivery);
      else if (delivery)
        backlog.modifyDeadline({ id: delivery.message.id, lease: delivery.lease, deadlineMs: 0, nowMs });
    }
  }
  for (let round = 0; backlog.size > 0 && round < 1000; round += 1) {
    nowMs += 10_000;
    for (const delivery of lease(1000)) acknowledge(delivery);
  }
  return { delivered, removed, added, left: backlog.size };
}

test('a backlog hands out every message until it is acknowledged, and lets it go exactly once', () => {
  fc.assert(
    fc.property(steps, fc.boolean(), (steps, ordered) => {
      const { removed, added, left } = drive(steps, ordered);
      assert.equal(left, 0);
      assert.deepEqual(
        removed.map(Number).sort((a, b) => a - b),
        Array.from({ length: added }, (_, at) => at + 1),
      );
    }),
  );
});

test('an ordered backlog goes on with a key only from where it has to, never over a gap', () => {
  fc.assert(
    fc.property(steps, (steps) => {
      const { delivered } = drive(steps, true);
      // One step of three before each key's first message.
      const reached = new Map([
        ['k1', -2],
        ['k2', -1],
        ['k0', 0],
      ]);
      for (const { message } of delivered) {
        const number = Number(message.id);
        const furthest = reached.get(message.orderingKey) ?? Number.NaN;
        // The key's messages are three apart: the next one, or one that was handed out before.
        assert.ok(number <= furthest + 3, `${message.orderingKey}: ${number} after ${furthest}`);
        reached.set(message.orderingKey, Math.max(furthest, number));
      }
    }),
  );
});

test('an ordered backlog takes back what followed a failed message of the same key', () => {
  const rules = {
    ordered: true,
    exactlyOnce: false,
    retry: undefined,
    maxDeliveryAttempts: undefined,
    retentionMs: 1e12,
  };
  const backlog = new Backlog({ rules, firstLease: 1, deadLetter: () => false });
  const released: string[] = [];
  const watching: Consumer = { released: (message, why) => released.push(`${message.id} ${why}`) };
  for (const id of ['1', '2', '3']) {
    backlog.add(makeMessage({ id, publishTimeMs: 0, orderingKey: 'k', attributes: {}, data: Buffer.of(1) }));
  }
  const request = { nowMs: 0, deadlineMs: 10_000, maxMessages: 10, maxBytes: 1e9 };
  const [first, , third] = backlog.lease({ ...request, consumer: watching });
  assert.ok(first && third);
  assert.deepEqual(backlog.lease({ ...request, consumer }), []);
  backlog.acknowledge('3', third.lease);
  backlog.modifyDeadline({ id: '1', lease: first.lease, deadlineMs: 0, nowMs: 0 });
  assert.deepEqual(released, ['3 acknowledged', '1 failed', '2 expired']);
  const again = backlog.lease({ ...request, consumer });
  assert.deepEqual(
    again.map(({ message, attempt }) => [message.id, attempt]),
    [
      ['1', 2],
      ['2', 1],
      ['3', 1],
    ],
  );
});
