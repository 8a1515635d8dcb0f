import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NotReadyError, openAtRequest } from '../../../../shared/adapters/http/open-at-request.ts';
import { problemOf } from '../../../../shared/adapters/http/problem.ts';
import { ConfigError } from '../../../../shared/base/errors.ts';

test('openAtRequest() opens once for requests that come together, and closes what it opened', async () => {
  const events: string[] = [];
  const { open, close } = openAtRequest(async () => {
    events.push('open');
    return { close: async () => void events.push('close') };
  });
  await close();
  const [one, other] = await Promise.all([open(), open()]);
  assert.equal(one, other);
  await close();
  assert.deepEqual(events, ['open', 'close']);
});

test('openAtRequest() tries again after a failure, and tells strangers nothing of its cause', async () => {
  const failures: Error[] = [
    new ConfigError([{ path: 'SECRET_PATH', message: 'is not set', remedy: 'Set it' }]),
    new Error('connect ECONNREFUSED 10.0.0.7:443'),
  ];
  const { open } = openAtRequest(async () => {
    const failure = failures.shift();
    if (failure) throw failure;
    return { close: async () => {} };
  });
  const problems = [];
  for (const status of [500, 503]) {
    const error: unknown = await open().catch((thrown: unknown) => thrown);
    assert.ok(error instanceof NotReadyError);
    problems.push(problemOf(error));
    assert.equal(problems.at(-1)?.status, status);
  }
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['CONFIG', 'NOT_READY'],
  );
  assert.doesNotMatch(JSON.stringify(problems), /SECRET_PATH|10\.0\.0\.7/);
  await open();
});
