import assert from 'node:assert/strict';
import { afterEach, beforeEach, suite, test } from 'node:test';
import fc from 'fast-check';
import { errorCode } from '../../../../../deploy/local/kafka/protocol/error-code.ts';
import type { Attempt } from '../../../../../deploy/local/kafka/sasl/session.ts';
import { type KafkaServer, openKafkaServer } from '../../../../../deploy/local/kafka/server.ts';
import { RawClient } from '../raw-client.ts';
import {
  apiVersionsRequest,
  authenticateRequest,
  framed,
  handshakeRequest,
  metadataRequest,
  readAuthenticated,
  request,
  scramFinal,
} from './frames.ts';

const LIFETIME_MS = 60_000;
const plain = '\0sink\0p';

suite('a connection on a SASL listener', () => {
  let server: KafkaServer;
  let client: RawClient;
  let attempts: Attempt[];
  let now: number;

  const open = (): Promise<RawClient> => RawClient.open(server.addresses.SASL ?? '');
  const authenticated = async (token: string, mechanism = 'PLAIN'): Promise<ReturnType<typeof readAuthenticated>> => {
    assert.equal((await client.exchange(handshakeRequest(mechanism))).readInt16BE(0), errorCode.none);
    return readAuthenticated(await client.exchange(authenticateRequest(token)));
  };
  const isServed = async (): Promise<void> => {
    assert.ok((await client.exchange(metadataRequest)).length > 0);
  };
  const isClosedBy = async (bytes: Buffer): Promise<void> => {
    await client.sendUntilClosed(bytes);
  };

  beforeEach(async () => {
    attempts = [];
    now = 1_000_000;
    server = await openKafkaServer({
      users: { sink: 'p', other: 'q' },
      now: () => now,
      listeners: {
        SASL: {
          sasl: {
            mechanisms: ['PLAIN', 'SCRAM-SHA-256', 'OAUTHBEARER'],
            sessionLifetimeMs: LIFETIME_MS,
            verifyToken: (token) => {
              if (!token.startsWith('until-')) throw new Error('Bad');
              return { principal: 'sink', expiresAtMs: Number(token.slice('until-'.length)) };
            },
          },
        },
      },
      onAttempt: (attempt) => attempts.push(attempt),
    });
    client = await open();
  });
  afterEach(async () => {
    client.close();
    await server.close();
  });

  test('is closed at its first request but ApiVersions and SaslHandshake', async () => {
    await isClosedBy(metadataRequest);
    client = await open();
    await isClosedBy(authenticateRequest(plain));
    client = await open();
    await client.exchange(apiVersionsRequest);
    await isClosedBy(apiVersionsRequest);
    client = await open();
    await client.exchange(handshakeRequest('PLAIN'));
    await isClosedBy(metadataRequest);
    client = await open();
    await client.exchange(handshakeRequest('PLAIN'));
    await isClosedBy(handshakeRequest('PLAIN'));
  });

  test('is served after ApiVersions, SaslHandshake and SaslAuthenticate', async () => {
    await client.exchange(apiVersionsRequest);
    const { errorCode: code, lifetimeMs } = await authenticated(plain);
    assert.deepEqual([code, lifetimeMs], [errorCode.none, LIFETIME_MS]);
    await isServed();
    assert.ok((await client.exchange(apiVersionsRequest)).length > 0);
  });

  test('may ask again which versions are spoken when the first answer was that they are not', async () => {
    assert.equal((await client.exchange(request(18, 99))).readInt16BE(0), errorCode.unsupportedVersion);
    await client.exchange(apiVersionsRequest);
    assert.equal((await authenticated(plain)).errorCode, errorCode.none);
  });

  test('is answered with the mechanisms and closed when it wants another one', async () => {
    const answer = await client.exchange(handshakeRequest('GSSAPI'));
    assert.equal(answer.readInt16BE(0), errorCode.unsupportedSaslMechanism);
    assert.match(answer.toString('latin1'), /PLAIN.*SCRAM-SHA-256.*OAUTHBEARER/s);
    await isClosedBy(Buffer.alloc(0));
  });

  test('is told why and closed when its password is wrong', async () => {
    const { errorCode: code, message } = await authenticated('\0sink\0wrong');
    assert.deepEqual(
      [code, message],
      [errorCode.saslAuthenticationFailed, 'Authentication failed: Invalid username or password'],
    );
    await isClosedBy(Buffer.alloc(0));
    assert.deepEqual(
      attempts.map(({ principal, refusal }) => [principal, refusal]),
      [[undefined, message]],
    );
  });

  test('is refused in the name of another, with an empty name, and with parts too few', async () => {
    const cases = {
      'other\0sink\0p': /authorization id/,
      '\0\0p': /username not specified/,
      '\0sink\0': /password not/,
      sink: /due to invalid/,
    };
    for (const [token, why] of Object.entries(cases)) {
      client = await open();
      const { errorCode: code, message } = await authenticated(token);
      assert.equal(code, errorCode.saslAuthenticationFailed, token);
      assert.match(message, why);
      client.close();
    }
  });

  test('may send bare tokens after SaslHandshake version 0, and is closed without an answer when one is wrong', async () => {
    await client.exchange(handshakeRequest('PLAIN', 0));
    client.socket.write(framed(Buffer.from(plain)));
    await isServedAfterEmptyFrame(client);
    client.close();
    client = await open();
    await client.exchange(handshakeRequest('PLAIN', 0));
    await isClosedBy(framed(Buffer.from('\0sink\0wrong')));
  });

  test('proves itself by SCRAM, and is proved to, in the steps of RFC 5802', async () => {
    const nonce = 'fyko+d2lbbFgONRv9qkxdawL';
    await client.exchange(handshakeRequest('SCRAM-SHA-256'));
    const first = readAuthenticated(await client.exchange(authenticateRequest(`n,,n=sink,r=${nonce}`)));
    assert.ok(first.token.startsWith(`r=${nonce}`) && first.token.length > 60);
    const { final, serverFinal } = scramFinal({ user: 'sink', password: 'p', nonce, serverFirst: first.token });
    const last = readAuthenticated(await client.exchange(authenticateRequest(final)));
    assert.deepEqual([last.errorCode, last.token, last.lifetimeMs], [errorCode.none, serverFinal, LIFETIME_MS]);
    await isServed();
  });

  test('is refused when it repeats a SCRAM exchange, another header or another nonce', async () => {
    const nonce = 'abcdef';
    const begin = async (): Promise<string> => {
      client = await open();
      await client.exchange(handshakeRequest('SCRAM-SHA-256'));
      return readAuthenticated(await client.exchange(authenticateRequest(`n,,n=sink,r=${nonce}`))).token;
    };
    const finalOf = (serverFirst: string, says = (usual: string): string => usual): string =>
      scramFinal({ user: 'sink', password: 'p', nonce, serverFirst, says }).final;
    const refused = async (final: string): Promise<void> => {
      const { errorCode: code, message } = readAuthenticated(await client.exchange(authenticateRequest(final)));
      assert.equal(code, errorCode.saslAuthenticationFailed);
      assert.match(message, /due to invalid credentials with SASL mechanism SCRAM-SHA-256/);
      client.close();
    };
    const recorded = finalOf(await begin());
    client.close();
    await begin();
    await refused(recorded);
    await refused(finalOf(await begin(), (usual) => usual.replace('c=biws', 'c=eSws')));
    await refused(finalOf(await begin(), (usual) => `${usual}x`));
    await refused(finalOf(await begin(), (usual) => `${usual},m=must`).replace(',m=must', ''));
    await refused(finalOf(await begin()).replace(/p=./, 'p=!'));
    await refused(finalOf((await begin()).replace(/i=\d+/, 'i=4097')));
  });

  test('is refused when its SCRAM name holds a wrong escape, or it asks for channel binding or a mandatory extension', async () => {
    for (const first of [
      'n,,n=si=2nk,r=a',
      'n,,n=sink=,r=a',
      'p=tls-unique,,n=sink,r=a',
      'y,,n=sink,r=a',
      'n,,m=x,n=sink,r=a',
      'n,,n=nobody,r=a',
    ]) {
      client = await open();
      await client.exchange(handshakeRequest('SCRAM-SHA-256'));
      const { errorCode: code, message } = readAuthenticated(await client.exchange(authenticateRequest(first)));
      assert.equal(code, errorCode.saslAuthenticationFailed, first);
      assert.match(message, /due to invalid credentials/, first);
      client.close();
    }
  });

  test('is told of a bad token by a status, and closed when it has taken note', async () => {
    const bad = await authenticated('n,,\x01auth=Bearer bad\x01\x01', 'OAUTHBEARER');
    assert.deepEqual([bad.errorCode, bad.token], [errorCode.none, '{"status":"invalid_token"}']);
    const noted = readAuthenticated(await client.exchange(authenticateRequest('\x01')));
    assert.deepEqual(
      [noted.errorCode, noted.message],
      [errorCode.saslAuthenticationFailed, '{"status":"invalid_token"}'],
    );
    await isClosedBy(Buffer.alloc(0));
    client = await open();
    await authenticated('n,,\x01auth=Bearer bad\x01\x01', 'OAUTHBEARER');
    await isClosedBy(metadataRequest);
  });

  test('lives as long as its token, or the listener allows, whichever is shorter', async () => {
    const token = (until: number, name = ''): string => `n,${name},\x01auth=Bearer until-${until}\x01ext=1\x01\x01`;
    assert.equal((await authenticated(token(now + 5_000), 'OAUTHBEARER')).lifetimeMs, 5_000);
    client.close();
    client = await open();
    assert.equal((await authenticated(token(now + 1e9, 'a=sink'), 'OAUTHBEARER')).lifetimeMs, LIFETIME_MS);
    client.close();
    client = await open();
    const { message } = await authenticated(token(now + 1e9, 'a=other'), 'OAUTHBEARER');
    assert.match(message, /authorization id \(other\)/);
  });

  test('is closed at its next request when its session is over', async () => {
    await authenticated(plain);
    now += LIFETIME_MS;
    await isServed();
    now += 1;
    await isClosedBy(metadataRequest);
  });

  test('goes on when it authenticates anew, before or after its session is over', async () => {
    await authenticated(plain);
    for (const passedMs of [LIFETIME_MS - 1, LIFETIME_MS + 1]) {
      now += passedMs;
      assert.equal((await authenticated(plain)).lifetimeMs, LIFETIME_MS);
      await isServed();
    }
    assert.deepEqual(
      attempts.map(({ again }) => again),
      [false, true, true],
    );
  });

  test('may not authenticate anew twice within a second', async () => {
    await authenticated(plain);
    await authenticated(plain);
    now += 999;
    assert.equal((await client.exchange(handshakeRequest('PLAIN'))).readInt16BE(0), errorCode.illegalSaslState);
    await isServed();
    now += 1;
    assert.equal((await authenticated(plain)).errorCode, errorCode.none);
  });

  test('may not become another when it authenticates anew, nor change its mechanism, nor fail', async () => {
    const again = async (token: string, mechanism: string): Promise<string> => {
      client.close();
      client = await open();
      await authenticated(plain);
      const { errorCode: code, message } = await authenticated(token, mechanism);
      assert.equal(code, errorCode.saslAuthenticationFailed);
      await isClosedBy(Buffer.alloc(0));
      return message;
    };
    assert.equal(
      await again('\0other\0q', 'PLAIN'),
      'Cannot change principals during re-authentication from User.sink: User.other',
    );
    assert.match(
      await again('n,,n=sink,r=a', 'SCRAM-SHA-256'),
      /not supported for re-authentication of mechanism 'PLAIN'/,
    );
    assert.match(await again('x', 'PLAIN'), /failed during re-authentication due to invalid credentials/);
  });

  test('is closed when it announces more than 512 KiB before it has proved who it is', async () => {
    const promise = Buffer.alloc(4);
    promise.writeInt32BE(512 * 1024 + 1);
    await isClosedBy(promise);
    client = await open();
    await authenticated(plain);
    client.socket.write(promise);
    client.socket.write(Buffer.alloc(10));
    const other = client;
    client = await open();
    await authenticated(plain);
    assert.equal(other.socket.closed, false);
    other.close();
  });

  test('never comes in with tokens of hostile bytes', async () => {
    const mechanism = fc.constantFrom('PLAIN', 'SCRAM-SHA-256', 'OAUTHBEARER');
    const pieces = fc.array(
      fc.oneof(
        fc.constantFrom('n,,', 'n=sink', 'r=', ',', '\0', '\x01', 'auth=Bearer ', 'c=biws', 'p='),
        fc.string({ maxLength: 20 }),
      ),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(mechanism, pieces, async (name, parts) => {
        const hostile = await open();
        await hostile.exchange(handshakeRequest(name));
        hostile.socket.end(authenticateRequest(parts.join('')));
        await hostile.sendUntilClosed(Buffer.alloc(0)).catch(() => {});
      }),
      { numRuns: 150 },
    );
    assert.deepEqual(
      attempts.filter(({ principal }) => principal !== undefined),
      [],
    );
    assert.equal((await authenticated(plain)).errorCode, errorCode.none);
  });
});

/** A bare token that is right is answered with a frame of no bytes, after which requests are served. */
async function isServedAfterEmptyFrame(client: RawClient): Promise<void> {
  const received: Buffer[] = [];
  client.socket.on('data', (chunk) => received.push(chunk));
  await new Promise((resolve) => client.socket.once('data', resolve));
  assert.deepEqual(Buffer.concat(received), Buffer.alloc(4));
}

test('SaslHandshake and SaslAuthenticate on a plaintext listener are answered with ILLEGAL_SASL_STATE', async () => {
  const server = await openKafkaServer();
  const client = await RawClient.open(server.address);
  assert.equal((await client.exchange(handshakeRequest('PLAIN'))).readInt16BE(0), errorCode.illegalSaslState);
  const { errorCode: code, message } = readAuthenticated(await client.exchange(authenticateRequest(plain)));
  assert.deepEqual(
    [code, message],
    [errorCode.illegalSaslState, 'SaslAuthenticate request received after successful authentication'],
  );
  assert.ok((await client.exchange(metadataRequest)).length > 0);
  client.close();
  await server.close();
});
