import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadRequestError, problemOf } from '../../../../shared/adapters/http/problem.ts';
import { PenstockError } from '../../../../shared/base/errors.ts';

const details = { remedy: 'Do it', retryable: false };

test('problemOf() gives each stable code its status', () => {
  assert.equal(problemOf(new BadRequestError('bad', 'mend')).status, 400);
  assert.equal(problemOf(new PenstockError('who', { ...details, code: 'UNAUTHENTICATED' })).status, 401);
  assert.equal(problemOf(new PenstockError('no', { ...details, code: 'FORBIDDEN' })).status, 403);
  assert.equal(problemOf(new PenstockError('odd', { ...details, code: 'ODD' })).status, 500);
});

test('problemOf() makes whatever may succeed later a 503 with Retry-After', () => {
  const ours = problemOf(new PenstockError('later', { ...details, code: 'LATER', retryable: true }));
  assert.deepEqual([ours.status, ours.retryAfterSeconds], [503, 5]);
  const grpc = problemOf(Object.assign(new Error('14 UNAVAILABLE'), { code: 14 }));
  assert.deepEqual([grpc.status, grpc.retryAfterSeconds], [503, 5]);
});

test('problemOf() keeps the message of an unknown error to itself', () => {
  assert.ok(!JSON.stringify(problemOf(new Error('row 42 holds secret'))).includes('secret'));
});
