import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { openKafkaServer } from '../../../../deploy/local/kafka/server.ts';
import { openManagedKafkaTokens } from '../../../../shared/adapters/kafka/google-token.ts';
import { openWireDriver } from '../../../../shared/adapters/kafka/wire-driver.ts';
import { noLog } from '../../../../shared/base/log.ts';

const email = 'kafka-sink@project.iam.gserviceaccount.com';
/** Beyond which Google's library still trusts a token. */
const LIFETIME_S = 3_600;

test('openManagedKafkaTokens() wraps the metadata server’s token as Managed Kafka reads it', async (context) => {
  let given = 0;
  const metadata = createServer((request, response) => {
    response.setHeader('metadata-flavor', 'Google');
    if (request.url?.includes('/token')) {
      given += 1;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ access_token: `ya29.${given}`, expires_in: LIFETIME_S, token_type: 'Bearer' }));
    } else response.end(request.url?.includes('/email') ? email : 'x');
  }).listen(0, '127.0.0.1');
  await once(metadata, 'listening');
  const address = metadata.address();
  assert.ok(address !== null && typeof address === 'object');
  process.env.GCE_METADATA_HOST = `127.0.0.1:${address.port}`;
  process.env.METADATA_SERVER_DETECTION = 'assume-present';
  // Else the library looks for a project by running gcloud, whenever it is asked for a token.
  process.env.GOOGLE_CLOUD_PROJECT = 'p';
  delete process.env.GOOGLE_APPLICATION_CREDENTIALS;
  process.env.HOME = '/nonexistent';
  context.after(() => metadata.close());

  const seen: string[] = [];
  const server = await openKafkaServer({
    listeners: {
      MANAGED: {
        sasl: {
          mechanisms: ['OAUTHBEARER'],
          verifyToken: (token) => {
            const [header, claims, access] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString());
            assert.deepEqual(JSON.parse(header ?? ''), { typ: 'JWT', alg: 'GOOG_OAUTH2_TOKEN' });
            const { exp, iat, iss, scope, sub } = JSON.parse(claims ?? '');
            assert.deepEqual([iss, scope, sub], ['Google', 'kafka', email]);
            assert.ok(exp - iat > LIFETIME_S - 60 && exp - iat <= LIFETIME_S + 1, `${exp} after ${iat}`);
            seen.push(access ?? '');
            // The first is no longer good, as after a key was taken away.
            if (access === 'ya29.1') throw new Error('revoked');
            return { principal: sub };
          },
        },
      },
    },
  });
  const tokens = openManagedKafkaTokens();
  const access = {
    brokers: [server.addresses.MANAGED ?? ''],
    tls: undefined,
    auth: { mechanism: 'oauthbearer', token: tokens } as const,
  };
  const driver = openWireDriver({ access, clientId: 'test', log: noLog });
  assert.deepEqual(await driver.findTopics(/./), []);
  assert.deepEqual(seen, ['ya29.1', 'ya29.2']);
  assert.equal((await tokens(false)).principal, email);
  assert.equal(given, 2, 'a good token is kept');
  await driver.close();
  await server.close();
});
