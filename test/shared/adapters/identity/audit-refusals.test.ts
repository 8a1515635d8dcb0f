import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { after, before, test } from 'node:test';
import { generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { type IdentityServer, openIdentityServer } from '../../../../deploy/local/identity/server.ts';
import { auditRefusals } from '../../../../shared/adapters/identity/audit-refusals.ts';
import { tokenVerifier } from '../../../../shared/adapters/identity/verify-token.ts';
import { jsonLog } from '../../../../shared/base/log.ts';
import { issuerOf } from '../../../../shared/model/identity/trusted-issuer.ts';

const CALLER = 'push@p.iam.gserviceaccount.com';
const AUDIENCE = 'https://sink.example';

let identity: IdentityServer;
before(async () => {
  identity = await openIdentityServer();
});
after(() => identity.close());

/** A door, and the lines that it leaves. */
function openDoor(issuer = identity.issuer) {
  const lines: Record<string, unknown>[] = [];
  const source = new EventEmitter();
  const refused = auditRefusals(
    'pubsub-sink',
    jsonLog('pubsub-sink', (line) => lines.push(JSON.parse(line))),
    {
      source,
      linesPerReason: 2,
    },
  );
  const verify = tokenVerifier({ issuers: [issuerOf(issuer)], audiences: [AUDIENCE], callers: [CALLER] });
  return {
    lines,
    end: () => source.emit('exit'),
    async knock(authorization: string | undefined) {
      const isRefused = await verify(authorization).then(() => undefined, refused);
      const { action, identity: who, resource, outcome, door, reason, issuer: named, subject } = lines.at(-1) ?? {};
      return { isRefused, line: { action, who, resource, outcome, door, reason, named, subject } };
    },
  };
}

const bearer = async (claims: JWTPayload = {}, caller = CALLER): Promise<string> =>
  `Bearer ${await identity.mintIdToken(caller, AUDIENCE, claims)}`;

test('auditRefusals() leaves no line of a caller who is let in, nor of an error of another kind', async () => {
  const { lines, knock } = openDoor();
  assert.equal((await knock(await bearer())).isRefused, undefined);
  const refused = auditRefusals('x', () => assert.fail('a line'), { source: new EventEmitter() });
  assert.equal(refused(new Error('a mistake of ours')), false);
  assert.deepEqual(lines, []);
});

test('auditRefusals() names whom a verified signature names, and nobody whom a token only claims to be', async () => {
  const { knock } = openDoor();
  const about = { action: 'door.enter', resource: 'Function/pubsub-sink', outcome: 'refused', door: 'pubsub-sink' };
  const { privateKey } = await generateKeyPair('RS256');
  const claims = { iss: identity.issuer, aud: AUDIENCE, sub: '1', email: CALLER, email_verified: true };
  const forged = new SignJWT(claims).setProtectedHeader({ alg: 'RS256' }).setIssuedAt().setExpirationTime('1h');
  const stranger = await knock(`Bearer ${await forged.sign(privateKey)}`);
  assert.deepEqual(stranger, {
    isRefused: true,
    line: { ...about, who: 'unverified', reason: 'not signed by its issuer', named: undefined, subject: undefined },
  });
  const longAgo = Math.floor(Date.now() / 1000) - 7_200;
  const expired = await knock(await bearer({ iat: longAgo, exp: longAgo + 60, sub: '17', azp: '17' }));
  assert.deepEqual(expired.line, { ...about, who: CALLER, reason: 'expired', named: identity.issuer, subject: '17' });
  const unlisted = await knock(await bearer({ sub: '18', azp: '18' }, 'other@p.iam.gserviceaccount.com'));
  assert.deepEqual(
    [unlisted.line.who, unlisted.line.reason, unlisted.line.subject],
    ['other@p.iam.gserviceaccount.com', 'caller not on the list', '18'],
  );
  // Its address is not to be believed; that its issuer has signed it is.
  const unnamed = await knock(await bearer({ email_verified: false, sub: '19' }));
  assert.deepEqual([unnamed.line.who, unnamed.line.reason], [`${identity.issuer}#19`, 'claims that are not taken']);
});

test('auditRefusals() keeps what a token or header says out of its lines, hostile texts on one line', async () => {
  const { lines, knock } = openDoor();
  const tokens = [
    'Basic c2VjcmV0OnNlY3JldA==',
    `Bearer ${'A'.repeat(9_000)}`,
    'Bearer neither.header-nor.payload-nor-signature',
    await bearer({ sub: '\n{"audit":true}\u202e' }, 'other@p.iam.gserviceaccount.com'),
    await bearer({ iss: 'https://evil.example\n' }),
  ];
  for (const token of tokens) assert.equal((await knock(token)).isRefused, true);
  const written = JSON.stringify(lines);
  for (const token of tokens) {
    for (const part of (token.split(' ')[1] ?? '').split('.')) assert.ok(!written.includes(part), part.slice(0, 40));
  }
  assert.ok(lines.every((line) => Object.values(line).every((value) => !/[\n\u202e]/.test(String(value)))));
});

test('auditRefusals() says of an issuer that cannot be asked that it failed, and leaves the error to be logged', async () => {
  const { knock } = openDoor('http://127.0.0.1:9');
  const { isRefused, line } = await knock(await bearer({ iss: 'http://127.0.0.1:9' }));
  assert.deepEqual([isRefused, line.outcome, line.reason], [false, 'failed', 'issuer not reached']);
});

test('auditRefusals() counts what it has not written when the process ends', async () => {
  const { lines, knock, end } = openDoor();
  for (let at = 0; at < 7; at += 1) await knock(undefined);
  assert.equal(lines.length, 2);
  end();
  assert.deepEqual(
    lines.map(({ count }) => count),
    [undefined, undefined, 5],
  );
});
