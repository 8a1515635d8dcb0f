import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { decodeJwt } from 'jose';
import { openIdTokens } from '../../../../shared/adapters/identity/id-tokens.ts';
import { openMetadataDoor } from './metadata-door.ts';

const account = 'reader@p.iam.gserviceaccount.com';
const trainer = 'https://trainer.example';

/** A token in hand that lives for an hour, and a clock that the test turns. */
async function holding(context: TestContext) {
  let nowMs = Date.now();
  const clock = () => nowMs;
  const door = await openMetadataDoor(context, { account, now: clock });
  const tokens = openIdTokens(clock);
  const first = await tokens.authorization(trainer);
  const expiresAtMs = expiry(first);
  return {
    door,
    tokens,
    first,
    /** Turns the clock to so many milliseconds before the first token's end. */
    turnTo: (leftMs: number) => {
      nowMs = expiresAtMs - leftMs;
    },
    livesMs: (header: string) => expiry(header) - nowMs,
    asked: () => door.asked.filter((path) => path.includes('/identity?')).length,
  };
}

function expiry(header: string): number {
  return (decodeJwt(header.replace('Bearer ', '')).exp ?? 0) * 1000;
}

test("openIdTokens() fetches tokens of the process' own identity, one for each audience", async (context) => {
  const { tokens, first, asked } = await holding(context);
  const claims = decodeJwt(first.replace('Bearer ', ''));
  assert.equal(claims.aud, trainer);
  assert.equal(claims.email, account);
  assert.equal(await tokens.authorization(trainer), first);
  const other = await tokens.authorization('https://other.example');
  assert.equal(decodeJwt(other.replace('Bearer ', '')).aud, 'https://other.example');
  assert.equal(await tokens.authorization(trainer), first);
  assert.equal(asked(), 2);
  assert.equal(await tokens.email(), account);
});

test('openIdTokens() makes one request for all who come while there is no token, and when one is at its end', async (context) => {
  const { tokens, first, turnTo, asked, livesMs } = await holding(context);
  turnTo(59_999);
  const headers = await Promise.all(Array.from({ length: 200 }, () => tokens.authorization(trainer)));
  assert.equal(new Set(headers).size, 1);
  assert.notEqual(headers[0], first);
  assert.equal(asked(), 2);
  assert.ok(livesMs(headers[0] ?? '') > 3_590_000);
});

test('openIdTokens() goes on with a token that lives while it cannot be renewed, then says what is wrong', async (context) => {
  const { door, tokens, first, turnTo, asked } = await holding(context);
  door.state = 'failing';
  for (const leftMs of [299_999, 200_000, 60_000]) {
    turnTo(leftMs);
    assert.equal(await tokens.authorization(trainer), first);
  }
  turnTo(59_999);
  await assert.rejects(tokens.authorization(trainer), /shut/);
  const askedBefore = asked();
  door.state = 'open';
  assert.notEqual(await tokens.authorization(trainer), first);
  assert.equal(asked(), askedBefore + 1);
});

test('openIdTokens() holds nobody up while a token lives and the metadata server is silent', async (context) => {
  const { door, tokens, first, turnTo } = await holding(context);
  door.state = 'silent';
  turnTo(120_000);
  const headers = await Promise.all(Array.from({ length: 50 }, () => tokens.authorization(trainer)));
  assert.deepEqual(new Set(headers), new Set([first]));
});
