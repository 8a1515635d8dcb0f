import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { openIdentityServer } from '../../../../../deploy/local/identity/server.ts';
import { verifyJwt } from '../../../../../deploy/local/kafka/sasl/verify-jwt.ts';
import { openKafkaServer } from '../../../../../deploy/local/kafka/server.ts';
import { openAdmin, throughKafkajs, throughPlatformatic } from './clients.ts';

const ACCOUNT = 'kafka-sink@laptop.iam.gserviceaccount.com';

suite('verifyJwt()', () => {
  test('names the owner of a token that the issuer signed, and when it expires', async () => {
    const identity = await openIdentityServer();
    const rules = { issuer: identity.issuer, jwksUrl: `${identity.issuer}/jwks`, audience: 'kafka' };
    const verify = verifyJwt({ ...rules, principalClaim: 'email' });
    const exp = Math.floor(Date.now() / 1000) + 100;
    const good = await identity.mintIdToken(ACCOUNT, 'kafka', { exp });
    assert.deepEqual(await verify(good), { principal: ACCOUNT, expiresAtMs: exp * 1000 });
    assert.match((await verifyJwt(rules)(good)).principal, /^\d{21}$/);
    await identity.close();
  });

  test('refuses what another signed, for another audience, from another issuer, expired, or without an owner', async () => {
    const identity = await openIdentityServer();
    const stranger = await openIdentityServer();
    const verify = verifyJwt({
      issuer: identity.issuer,
      jwksUrl: `${identity.issuer}/jwks`,
      audience: 'kafka',
      principalClaim: 'email',
    });
    const mint = (claims: object, audience = 'kafka'): Promise<string> =>
      identity.mintIdToken(ACCOUNT, audience, { ...claims });
    const bad = await Promise.all([
      stranger.mintIdToken(ACCOUNT, 'kafka', { iss: identity.issuer }),
      mint({ iss: 'https://elsewhere.example' }),
      mint({}, 'trainer'),
      mint({ exp: Math.floor(Date.now() / 1000) - 60 }),
      mint({ email: undefined }),
      mint({ email: 5 }),
    ]);
    for (const token of [...bad, 'x.y.z', '']) await assert.rejects(async () => verify(token));
    await Promise.all([identity.close(), stranger.close()]);
  });

  test('lets clients in by OAUTHBEARER, and keeps out a token of another issuer', async () => {
    const identity = await openIdentityServer();
    const stranger = await openIdentityServer();
    const principals: (string | undefined)[] = [];
    const server = await openKafkaServer({
      listeners: {
        OAUTH: {
          sasl: {
            mechanisms: ['OAUTHBEARER'],
            verifyToken: verifyJwt({
              issuer: identity.issuer,
              jwksUrl: `${identity.issuer}/jwks`,
              audience: 'kafka',
              principalClaim: 'email',
            }),
          },
        },
      },
      onAttempt: ({ principal }) => principals.push(principal),
    });
    const admin = openAdmin(server.address);
    await admin.createTopics({ topics: ['t'], partitions: 1, replicas: 1 });
    await admin.close();
    const address = server.addresses.OAUTH ?? '';
    for (const produce of [throughKafkajs, throughPlatformatic]) {
      const token = await identity.mintIdToken(ACCOUNT, 'kafka');
      await produce({ address, topic: 't', login: { mechanism: 'OAUTHBEARER', token } });
      const strange = await stranger.mintIdToken(ACCOUNT, 'kafka', { iss: identity.issuer });
      await assert.rejects(produce({ address, topic: 't', login: { mechanism: 'OAUTHBEARER', token: strange } }));
    }
    assert.deepEqual(new Set(principals), new Set([ACCOUNT]));
    await Promise.all([server.close(), identity.close(), stranger.close()]);
  });
});
