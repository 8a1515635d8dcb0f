import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openSecretCache, type SecretCache } from '../../../shared/adapters/secrets/open-secret-cache.ts';
import { SecretError } from '../../../shared/adapters/secrets/secret-error.ts';
import { kafkaAccess } from '../../../shared/connect/kafka-access.ts';
import { readDeclaration } from '../../../shared/model/config/read-declaration.ts';
import { functionAccess } from '../../../shared/model/grants/function-access.ts';
import { openSecretServer, PROJECT, type SecretServer } from '../adapters/secrets/secret-server.ts';

const text = `
spanner: { database: projects/${PROJECT}/instances/i/databases/d }
kafka: { brokers: { secret: connection }, auth: { mechanism: scram-sha-512, secret: connection } }
registry: { url: { secret: connection } }
pipelines:
  p: { source: { kafka: { topic: t } }, format: avro, table: T, mode: upsert, columns: { Id: { field: id } } }
`;

let server: SecretServer;
let secrets: SecretCache;
before(async () => {
  server = await openSecretServer();
  secrets = openSecretCache({ projectId: PROJECT });
});
after(async () => {
  await secrets.close();
  await server.close();
});

const sources = () => ({ secrets, googleToken: () => assert.fail('nobody asks for one') });
const { declaration } = readDeclaration({ file: 'penstock.yaml', text, env: {}, sections: [] });

test('kafkaAccess() takes brokers from the version that current names, as a list or a text', async () => {
  const { kafka } = declaration;
  assert.ok(kafka);
  server.rotate('connection', JSON.stringify({ username: 'u', password: 'p', brokers: ['b-1:9094', 'b-2:9094'] }));
  assert.deepEqual((await kafkaAccess(kafka, sources())).brokers, ['b-1:9094', 'b-2:9094']);
  const newer = openSecretCache({ projectId: PROJECT });
  server.rotate('connection', JSON.stringify({ username: 'u', password: 'p', brokers: 'b-3:9094, b-4:9094' }));
  assert.deepEqual((await kafkaAccess(kafka, { ...sources(), secrets: newer })).brokers, ['b-3:9094', 'b-4:9094']);
  await newer.close();
});

test('kafkaAccess() names a secret that names no brokers, and nothing of it', async () => {
  const { kafka } = declaration;
  assert.ok(kafka);
  for (const brokers of [undefined, [], 'no port', 7]) {
    server.rotate('connection', JSON.stringify({ username: 'u', password: 'hidden-word', brokers }));
    const fresh = openSecretCache({ projectId: PROJECT });
    await assert.rejects(kafkaAccess(kafka, { ...sources(), secrets: fresh }), (error: unknown) => {
      assert.ok(error instanceof SecretError);
      assert.match(error.message, /secrets\/connection.* has no field "brokers"/);
      assert.ok(!error.message.includes('hidden-word'));
      return true;
    });
    await fresh.close();
  }
});

test('functionAccess() lets the sink read the secret that names brokers and registry', () => {
  const access = functionAccess(declaration, { pipelines: {}, feeds: {} }, PROJECT);
  const sink = access.find((one) => one.function === 'kafka-sink');
  const read = sink?.iam.filter(({ role }) => role === 'roles/secretmanager.secretAccessor');
  assert.deepEqual(
    read?.map(({ resource }) => resource.split('/').at(-1)),
    ['connection'],
  );
});
