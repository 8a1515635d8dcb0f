import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import type { Attempt } from '../../../deploy/local/kafka/sasl/session.ts';
import { type KafkaServer, openKafkaServer } from '../../../deploy/local/kafka/server.ts';
import { localProject } from '../../../deploy/local/project.ts';
import { openKafkaDriver } from '../../../shared/adapters/kafka/open-driver.ts';
import { openSecretCache, type SecretCache } from '../../../shared/adapters/secrets/open-secret-cache.ts';
import type { Log } from '../../../shared/base/log.ts';
import { openDeclaredRegistry } from '../../../shared/connect/declared-registry.ts';
import { kafkaAccess } from '../../../shared/connect/kafka-access.ts';
import type { Declaration, KafkaConnection, RotatedSecret } from '../../../shared/model/config/declaration.ts';
import { makeAuthority } from '../../deploy/local/kafka/certificates.ts';
import { openKafka, Recorder } from '../../shared/adapters/kafka/driver-fixture.ts';
import { openRotationStage, type RotationStage } from './rotation-stage.ts';

const ROTATIONS = 5;
const HOUR_MS = 3_600_000;
const OVERLAP_MS = 4_000;
const authority = makeAuthority();
const times = { everyMs: 24 * HOUR_MS, overlapMs: OVERLAP_MS, waitForUsersMs: 0, destroyAfterMs: HOUR_MS };
const certificate: RotatedSecret = {
  name: 'consumer-certificate',
  strategy: { kind: 'tls-certificate', authority: 'signer', subject: 'CN=sink,O=Penstock', lifetimeMs: 12 * HOUR_MS },
  ...times,
};
const registryPassword: RotatedSecret = {
  name: 'registry-user',
  strategy: { kind: 'password', length: 32, classes: ['lower', 'digit'] },
  ...times,
};

let stage: RotationStage;
let kafka: KafkaServer;
let connection: KafkaConnection;
let declaration: Declaration;
let cache: SecretCache;
const attempts: Attempt[] = [];
before(async () => {
  stage = await openRotationStage();
  const tls = { ...authority.forServer(), clientCa: authority.ca };
  kafka = await openKafkaServer({ listeners: { MTLS: { tls } }, onAttempt: (attempt) => attempts.push(attempt) });
  await stage.addSecret('authorities', authority.ca);
  await stage.addSecret('signer', JSON.stringify({ key: authority.key, cert: authority.ca }));
  await stage.addSecret(certificate.name, JSON.stringify(authority.forClient({ CN: 'sink', O: 'Penstock' })));
  await stage.addSecret(registryPassword.name, JSON.stringify({ username: 'penstock', password: 'first' }));
  connection = {
    brokers: [kafka.addresses.MTLS ?? ''],
    driver: 'wire',
    tls: true,
    caSecret: 'authorities',
    auth: { mechanism: 'mtls', secret: certificate.name },
  };
  const secrets = { [certificate.name]: certificate, [registryPassword.name]: registryPassword };
  declaration = { ...stage.declaration, kafka: connection, secrets };
  // Minutes are nothing to wait for in a test.
  cache = openSecretCache({ projectId: localProject, ttlMs: 100 });
});
after(async () => {
  await cache.close();
  await kafka.close();
  await stage[Symbol.asyncDispose]();
});

const sources = () => ({ secrets: cache, googleToken: () => assert.fail('nobody asks for one') });

async function rotate(secret: string, id: string): Promise<void> {
  const rotator = stage.openRotator({ declaration });
  const { rotation } = await rotator.rotate({ secret, id, kind: 'rotate', now: false }, 'test');
  assert.equal(rotation.step, 'retire', rotation.reason);
  // The old one ends as well; certificates are not valid before the machine's time, so that the stage's stays near it.
  stage.nowMs += OVERLAP_MS;
  const outcomes = await rotator.tick('test');
  assert.deepEqual(
    outcomes.filter(({ error }) => error !== undefined),
    [],
  );
}

test('a running consumer follows rotations of its certificate: new connections, no record lost or doubled, nothing logged', async () => {
  await using fixture = await openKafka(kafka);
  await fixture.create('t');
  const said: string[] = [];
  const log: Log = (severity, message) => void said.push(`${severity} ${message}`);
  const access = await kafkaAccess(connection, sources());
  assert.ok(access.auth?.mechanism === 'mtls');
  const impatient = { ...access, auth: { ...access.auth, lookEveryMs: 300 } };
  const driver = await openKafkaDriver({ driver: 'wire', access: impatient, clientId: 'test', log });
  const sent: string[] = [];
  try {
    const recorder = await new Recorder().subscribe(driver, ['t'], { sessionTimeoutMs: 30_000 });
    for (let at = 0; at < ROTATIONS; at++) {
      const before = attempts.length;
      await rotate(certificate.name, `rotation-${at}`);
      await recorder.until(`its connections are made anew for version ${at + 2}`, () => {
        // Each that comes brings the next one.
        sent.push(`record ${sent.length}`);
        void fixture.send('t', 0, `record ${sent.length - 1}`).catch(() => undefined);
        return attempts.length >= before + 2;
      });
    }
    await recorder.until('all have come', () => recorder.values().length === sent.length);
    await recorder.subscription?.stop();
    assert.deepEqual(recorder.values().sort(), [...sent].sort());
  } finally {
    await driver.close();
  }
  assert.ok(attempts.every(({ refusal }) => refusal === undefined));
  assert.deepEqual(
    said.filter((line) => /^(WARNING|ERROR)/.test(line)),
    [],
  );
});

test('a registry’s client follows rotations of its password: the old one is refused once, and nobody sees it', async () => {
  const authorization = async (): Promise<string> => {
    const name = `projects/${localProject}/secrets/${registryPassword.name}/versions/current`;
    const [{ payload }] = await stage.client.accessSecretVersion({ name });
    const { username, password } = JSON.parse(Buffer.from(payload?.data ?? '').toString());
    return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  };
  let refused = 0;
  const server = createServer(async (request, response) => {
    const isCurrent = request.headers.authorization === (await authorization());
    if (!isCurrent) refused += 1;
    response.statusCode = isCurrent ? 200 : 401;
    response.end(JSON.stringify({ id: 1, version: 1, subject: 'orders-value', schema: '"string"' }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const patient = openSecretCache({ projectId: localProject, clock: () => stage.nowMs, ttlMs: 1_000 * HOUR_MS });
  const registry = { url, auth: { kind: 'basic' as const, secret: registryPassword.name } };
  try {
    for (let at = 0; at < 3; at++) {
      // A client that knows no schema yet, and reads the secret from the cache of before.
      const schemas = await openDeclaredRegistry(registry, { ...sources(), secrets: patient });
      assert.notEqual(await schemas.latest('orders-value'), 'absent');
      schemas.close();
      assert.equal(refused, at);
      await rotate(registryPassword.name, `password-${at}`);
    }
  } finally {
    await patient.close();
    server.close();
    server.closeAllConnections();
  }
});
