import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRotateRequest } from '../../../functions/rotate-secrets/rotate-request.ts';
import { BadRequestError } from '../../../shared/adapters/http/problem.ts';

const reading = {
  subscription: 'projects/p/subscriptions/rotations',
  isDeclared: (secret: string): boolean => secret === 'kafka-sink',
  caller: { name: 'push@p', issuer: 'test' },
};

function message(nextRotationTime: string | undefined, more: { eventType?: string; secretId?: string } = {}) {
  const secret = { name: 'projects/1/secrets/kafka-sink', rotation: { nextRotationTime } };
  return {
    subscription: 'projects/p/subscriptions/rotations',
    message: {
      messageId: '17',
      data: Buffer.from(JSON.stringify(secret)).toString('base64'),
      attributes: { eventType: 'SECRET_ROTATE', secretId: 'projects/1/secrets/kafka-sink', ...more },
    },
  };
}

test('readRotateRequest() takes a message that is published twice for one rotation', () => {
  const first = readRotateRequest(message('2026-12-01T00:00:00Z'), undefined, reading);
  const again = { ...message('2026-12-01T00:00:00Z') };
  again.message.messageId = '18';
  assert.deepEqual(readRotateRequest(again, undefined, reading), first);
  assert.deepEqual(first, { kind: 'rotate', secret: 'kafka-sink', id: 'scheduled-2026-12-01T00:00:00Z' });
});

test('readRotateRequest() goes by the message’s id where its data does not say which rotation it is', () => {
  const wanted = readRotateRequest(message(undefined), undefined, reading);
  assert.deepEqual(wanted, { kind: 'rotate', secret: 'kafka-sink', id: 'scheduled-17' });
});

test('readRotateRequest() ignores other events and secrets that are not declared', () => {
  const added = readRotateRequest(message('t', { eventType: 'SECRET_VERSION_ADD' }), undefined, reading);
  const other = readRotateRequest(message('t', { secretId: 'projects/1/secrets/other' }), undefined, reading);
  assert.deepEqual([added.kind, other.kind], ['ignore', 'ignore']);
});

test('readRotateRequest() takes no message of another subscription, nor one that names none', () => {
  const other = { ...message('2026-12-01T00:00:00Z'), subscription: 'projects/q/subscriptions/rotations' };
  assert.throws(() => readRotateRequest(other, undefined, reading), { code: 'FORBIDDEN' });
  const { subscription: _, ...unnamed } = message('2026-12-01T00:00:00Z');
  assert.throws(() => readRotateRequest(unnamed, undefined, reading), { code: 'BAD_REQUEST' });
});

test('readRotateRequest() takes nothing for a tick, or for a rotation forward, that says something else', () => {
  for (const body of [null, [], [null], 'secret', 7, { secrets: 'kafka-sink' }, { secret: 'kafka-sink', back: true }]) {
    assert.throws(() => readRotateRequest(body, 'key', reading), BadRequestError, JSON.stringify(body));
  }
});

test('readRotateRequest() wants an Idempotency-Key of who asks, and keeps what it makes of it short', () => {
  assert.throws(() => readRotateRequest({ secret: 'kafka-sink' }, undefined, reading), BadRequestError);
  const wanted = readRotateRequest({ secret: 'kafka-sink' }, '../%00'.repeat(1_000), reading);
  assert.ok(wanted.kind === 'rotate' && /^asked-[0-9a-f]{64}$/.test(wanted.id));
});

test('readRotateRequest() takes an empty body for the schedule, and refuses a message without a secret', () => {
  assert.deepEqual(readRotateRequest(undefined, undefined, reading), { kind: 'tick' });
  assert.deepEqual(readRotateRequest({}, undefined, reading), { kind: 'tick' });
  assert.throws(() => readRotateRequest(message('t', { secretId: 'x' }), undefined, reading), BadRequestError);
});
