import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { SignJWT } from 'jose';
import kafkajs from 'kafkajs';
import { migrateAccess } from '../../deploy/cli/migrate-access.ts';
import { identities } from '../../deploy/cli/stack/identities.ts';
import { openLocalDatabase } from '../../deploy/cli/stack/open-local-database.ts';
import { openLocalCloud } from '../../deploy/local/cloud.ts';
import { type RunningFunction, runFunction } from '../../deploy/local/functions/run-function.ts';
import type { Attempt } from '../../deploy/local/kafka/sasl/session.ts';
import { openKafkaServer } from '../../deploy/local/kafka/server.ts';
import { localProject } from '../../deploy/local/project.ts';
import { readDeclaration } from '../../shared/model/config/read-declaration.ts';
import { roleOf } from '../../shared/model/grants/function-access.ts';
import { buildChaosBundles } from '../chaos/chaos-bundles.ts';
import { makeAuthority } from '../deploy/local/kafka/certificates.ts';
import { addSecret, openSecretClient } from '../deploy/local/secret-manager/secret-client.ts';
import { openOtlpReceiver } from '../shared/adapters/telemetry/otlp-receiver.ts';

const ACCOUNT = 'exporter@flights.iam.gserviceaccount.com';
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const DAY_MS = 86_400_000;
/** Without an overlap, one request takes a rotation to where its old version is disabled. */
const DECLARATION = `
spanner: { database: "projects/${localProject}/instances/main/databases/bundled" }
kafka:
  brokers: "\${MTLS_BROKERS}"
  tls: { ca: kafka-authorities }
  auth: { mechanism: mtls, secret: kafka-sink }
secrets:
  kafka-sink: { strategy: tls-certificate, authority: kafka-signer, subject: "CN=kafka-sink,O=Shop", every: 6h, overlap: 0s, lifetime: 12h }
  exporter: { strategy: service-account-key, account: ${ACCOUNT}, every: 28d, overlap: 0s }
`;

const authority = makeAuthority();
const first = authority.forClient({ CN: 'kafka-sink', O: 'Shop' });
const attempts: Attempt[] = [];
const closers: (() => unknown)[] = [];
let manager: SecretManagerServiceClient;
let rotate: (secret: string, id: string) => Promise<Readonly<Record<string, unknown>>>;
let receiver: Awaited<ReturnType<typeof openOtlpReceiver>>;
let brokers: string;

/** The built function under its own role, with Kafka that asks for certificates, and IAM that lets it make keys. */
before(async () => {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-bundle-'));
  closers.push(() => rmSync(dir, { recursive: true }));
  const bundles = await buildChaosBundles(['rotate-secrets']);
  closers.push(bundles.remove);
  const cloud = await openLocalCloud();
  closers.push(cloud.close);
  const tls = { ...authority.forServer(), clientCa: authority.ca };
  const kafka = await openKafkaServer({ listeners: { MTLS: { tls } }, onAttempt: (attempt) => attempts.push(attempt) });
  closers.push(kafka.close);
  brokers = kafka.addresses.MTLS ?? '';
  receiver = await openOtlpReceiver();
  closers.push(() => receiver[Symbol.asyncDispose]());
  const { declaration } = readDeclaration({
    file: 'penstock.yaml',
    text: DECLARATION,
    env: { ...cloud.env, MTLS_BROKERS: brokers },
    sections: ['spanner', 'kafka', 'secrets'],
  });
  const database = await openLocalDatabase(cloud, declaration.spanner.database, '');
  closers.push(() => database.close());
  await migrateAccess(declaration);
  manager = openSecretClient(cloud.env.SECRET_MANAGER_EMULATOR_HOST ?? '');
  closers.push(() => manager.close());
  await addSecret(manager, 'kafka-authorities', authority.ca);
  await addSecret(manager, 'kafka-signer', JSON.stringify({ key: authority.key, cert: authority.ca }));
  await addSecret(manager, 'kafka-sink', JSON.stringify(first));
  await addSecret(manager, 'exporter');
  cloud.identity.letManageKeys(`serviceAccount:${identities.rotateSecrets}`, ACCOUNT);
  const declarationPath = join(dir, 'declaration.json');
  writeFileSync(declarationPath, JSON.stringify(declaration));
  const running = await runFunction({
    name: 'rotate-secrets',
    dist: bundles.dist,
    env: {
      ...cloud.env,
      PENSTOCK_DATABASE_ROLE: roleOf('rotate-secrets'),
      PENSTOCK_DECLARATION: declarationPath,
      PENSTOCK_IDENTITY: identities.rotateSecrets,
      PENSTOCK_CALLERS: identities.scheduler,
      GCE_METADATA_HOST: (await cloud.identity.openMetadataServer(identities.rotateSecrets)).host,
      METADATA_SERVER_DETECTION: 'assume-present',
      SPANNER_DISABLE_BUILTIN_METRICS: 'true',
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    },
  });
  closers.push(running.stop);
  rotate = (secret, id) =>
    post(running, () => cloud.identity.mintIdToken(identities.scheduler, running.audience), secret, id);
});
after(async () => {
  for (const close of closers.reverse()) await close();
});

async function post(
  { url, lastLines }: RunningFunction,
  token: () => Promise<string>,
  secret: string,
  id: string,
): Promise<Readonly<Record<string, unknown>>> {
  const headers = {
    authorization: `Bearer ${await token()}`,
    'idempotency-key': id,
    'content-type': 'application/json',
  };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ secret }) });
  const text = await answer.text();
  assert.equal(answer.status, 200, `${text}\n${lastLines().join('\n')}`);
  return Object(JSON.parse(text));
}

async function readValue(secret: string, version: string): Promise<Readonly<Record<string, string>>> {
  const name = `projects/${localProject}/secrets/${secret}/versions/${version}`;
  const [{ payload }] = await manager.accessSecretVersion({ name });
  return JSON.parse(Buffer.from(payload?.data ?? '').toString());
}

async function stateOf(secret: string, version: number): Promise<unknown> {
  const name = `projects/${localProject}/secrets/${secret}/versions/${version}`;
  return (await manager.getSecretVersion({ name }))[0].state;
}

/** The topics, as a client that shows this certificate is told. */
async function topicsBy({ key, cert }: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const ssl = { ca: [authority.ca], ...(key && cert ? { key, cert } : {}) };
  const client = new kafkajs.Kafka({
    brokers: [brokers],
    ssl,
    retry: { retries: 0 },
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const admin = client.admin();
  try {
    await admin.connect();
    return await admin.listTopics();
  } finally {
    await admin.disconnect();
  }
}

/** What the issuer answers who signs in by a credentials file. Source: RFC 7523, section 2.1. */
async function signIn(file: Readonly<Record<string, string>>): Promise<{ status: number; token: unknown }> {
  const { client_email: email = '', token_uri: issuer = '', private_key: key = '', private_key_id: kid = '' } = file;
  const assertion = await new SignJWT({ scope: SCOPE })
    .setProtectedHeader({ alg: 'RS256', kid })
    .setIssuer(email)
    .setAudience(issuer)
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(createPrivateKey(key));
  const grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
  const answer = await fetch(issuer, { method: 'POST', body: new URLSearchParams({ grant_type: grant, assertion }) });
  return { status: answer.status, token: Object(await answer.json()).access_token };
}

test('the built function rotates a certificate, which brokers take and which ends when it should, and disables the old one', async () => {
  const done = await rotate('kafka-sink', 'certificate');
  assert.deepEqual([done.step, done.fromVersion, done.toVersion], ['destroy', 1, 2]);
  const current = await readValue('kafka-sink', 'current');
  const { subject, validToDate } = new X509Certificate(current.cert ?? '');
  assert.equal(subject, 'CN=kafka-sink\nO=Shop');
  assert.notEqual(current.cert, first.cert);
  const leftMs = validToDate.getTime() - Date.now();
  assert.ok(leftMs > 0 && leftMs <= DAY_MS / 2);
  assert.ok(
    attempts.length > 0 && attempts.every(({ refusal }) => refusal === undefined),
    'the trial was at the brokers',
  );
  const tried = attempts.length;
  assert.deepEqual(await topicsBy(current), []);
  assert.ok(attempts.length > tried);
  await assert.rejects(topicsBy({}), 'who shows none is refused');
  assert.equal(await stateOf('kafka-sink', 1), 'DISABLED');
  await assert.rejects(readValue('kafka-sink', '1'), { code: 9 });
});

test('the built function rotates a service account’s key: the issuer gives a token for the new one, and none for the old one', async () => {
  const made = await rotate('exporter', 'first-key');
  assert.equal(made.toVersion, 1);
  const old = await readValue('exporter', 'current');
  assert.equal((await signIn(old)).status, 200);
  const done = await rotate('exporter', 'second-key');
  assert.deepEqual([done.step, done.fromVersion, done.toVersion], ['destroy', 1, 2]);
  const current = await readValue('exporter', 'current');
  assert.equal(current.client_email, ACCOUNT);
  assert.notEqual(current.private_key_id, old.private_key_id);
  const { status, token } = await signIn(current);
  assert.equal(status, 200);
  assert.ok(token);
  assert.deepEqual(await signIn(old), { status: 400, token: undefined });
  assert.equal(await stateOf('exporter', 1), 'DISABLED');
});

test('the built function has sent what came of them before it answered', () => {
  const ends = receiver.points('penstock.secret.rotations').map(({ attributes, value }) => [attributes, value]);
  assert.deepEqual(ends, [
    [{ strategy: 'tls-certificate', result: 'rotated' }, 1],
    [{ strategy: 'service-account-key', result: 'rotated' }, 2],
  ]);
});
