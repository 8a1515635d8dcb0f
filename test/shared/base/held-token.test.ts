import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Expiring, holdToken } from '../../../shared/base/held-token.ts';

const HOUR_MS = 3_600_000;

interface Token extends Expiring {
  readonly name: number;
}

/** A source that answers when the test says so, and a clock that the test turns. */
function stage({ timeoutMs = 60_000 } = {}) {
  const asked: PromiseWithResolvers<Token>[] = [];
  const time = { nowMs: 0 };
  const clock = () => time.nowMs;
  const fetch = () => {
    const answer = Promise.withResolvers<Token>();
    asked.push(answer);
    return answer.promise;
  };
  /** Answers the last request, and lets everybody who waits for it hear of it. */
  const answer = async (livesMs = HOUR_MS): Promise<void> => {
    asked.at(-1)?.resolve({ name: asked.length, expiresAtMs: time.nowMs + livesMs });
    await new Promise(setImmediate);
  };
  const fail = async (): Promise<void> => {
    asked.at(-1)?.reject(new Error(`down ${asked.length}`));
    await new Promise(setImmediate);
  };
  return { token: holdToken(fetch, { clock, timeoutMs }), asked, time, answer, fail };
}

/** With the first token in hand. */
async function holding(livesMs = HOUR_MS) {
  const all = stage();
  const first = all.token(false);
  await all.answer(livesMs);
  assert.equal((await first).name, 1);
  return all;
}

test('holdToken() asks once for a thousand callers, and gives all of them the same', async () => {
  const { token, asked, answer } = stage();
  const callers = Array.from({ length: 1_000 }, () => token(false));
  await answer();
  assert.deepEqual(new Set((await Promise.all(callers)).map(({ name }) => name)), new Set([1]));
  assert.equal(asked.length, 1);
});

test('holdToken() gives the token in hand while it is renewed, to everybody, and asks once', async () => {
  const { token, asked, time, answer } = await holding();
  time.nowMs = HOUR_MS - 5 * 60_000;
  assert.equal((await token(false)).name, 1);
  assert.equal(asked.length, 1);
  time.nowMs += 1;
  const callers = await Promise.all(Array.from({ length: 1_000 }, () => token(false)));
  assert.deepEqual(new Set(callers.map(({ name }) => name)), new Set([1]));
  assert.equal(asked.length, 2);
  await answer();
  assert.equal((await token(false)).name, 2);
});

test('holdToken() goes on with a living token while renewals fail, tries every ten seconds, and says why at its end', async () => {
  const { token, asked, time, fail, answer } = await holding();
  for (time.nowMs = HOUR_MS - 5 * 60_000 + 1; time.nowMs <= HOUR_MS - 60_000; time.nowMs += 1_000) {
    assert.equal((await token(false)).name, 1);
    await fail();
  }
  assert.equal(asked.length, 1 + 24);
  const waiting = Promise.allSettled([token(false), token(false)]);
  await fail();
  assert.deepEqual(
    (await waiting).map((outcome) => outcome.status === 'rejected' && String(outcome.reason)),
    ['Error: down 26', 'Error: down 26'],
  );
  const later = token(false);
  await answer();
  assert.equal((await later).name, 27);
});

test('holdToken() never gives a token that ends within a minute', async () => {
  const { token, time, answer } = await holding();
  time.nowMs = HOUR_MS - 59_999;
  const refused = assert.rejects(token(false), {
    code: 'TOKEN_EXPIRES',
    retryable: true,
    message: /ends 59 s from now/,
  });
  await answer(59_999);
  await refused;
  const later = token(false);
  await answer(60_000);
  assert.equal((await later).expiresAtMs, time.nowMs + 60_000);
});

test('holdToken() keeps the token that lives longer, where the source gives an older one again', async () => {
  const { token, asked, time, answer } = await holding();
  time.nowMs = HOUR_MS - 120_000;
  await token(false);
  await answer(90_000);
  assert.equal((await token(false)).name, 1);
  time.nowMs += 10_000;
  await token(false);
  assert.equal(asked.length, 3);
});

test('holdToken() drops a token that was refused, asks once for all that say so, and again when they fail', async () => {
  const { token, asked, answer, fail } = await holding();
  const refused = [token(true), token(true), token(false)];
  await answer();
  assert.deepEqual(
    (await Promise.all(refused)).map(({ name }) => name),
    [2, 2, 2],
  );
  const failing = assert.rejects(token(true), /down 3/);
  await fail();
  await failing;
  const next = token(false);
  await answer();
  assert.equal((await next).name, 4);
  assert.equal(asked.length, 4);
});

test('holdToken() gives up on a source that does not answer, and asks it again', async (context) => {
  const { token, asked, answer } = stage({ timeoutMs: 20 });
  // As the socket of a source does.
  const connection = setInterval(() => {}, 1_000);
  context.after(() => clearInterval(connection));
  await assert.rejects(token(false), { name: 'TimeoutError' });
  const next = token(false);
  assert.equal(asked.length, 2);
  await answer();
  assert.equal((await next).name, 2);
});

test('holdToken() is held up by no source that does not answer while its token lives', async () => {
  const { token, asked, time } = await holding();
  time.nowMs = HOUR_MS - 240_000;
  for (let call = 0; call < 10; call++) assert.equal((await token(false)).name, 1);
  assert.equal(asked.length, 2);
});
