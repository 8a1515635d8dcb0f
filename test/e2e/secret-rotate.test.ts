import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PubSub } from '@google-cloud/pubsub';
import { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { credentials } from '@grpc/grpc-js';
import { migrateAccess } from '../../deploy/cli/migrate-access.ts';
import { identities } from '../../deploy/cli/stack/identities.ts';
import { openStack, type Stack } from '../../deploy/cli/stack/stack.ts';
import { subscribe } from '../../deploy/cli/stack/subscribe.ts';
import { localProject } from '../../deploy/local/project.ts';
import { roleOf } from '../../shared/model/grants/function-access.ts';

const SECRET = 'kafka-sink';
const TOPIC = 'secret-events';
const SUBSCRIPTION = 'penstock-rotations';
const OVERLAP_MS = 2_000;
const PERIOD_SECONDS = 3_600;
/** Secret Manager wants the next rotation at least five minutes ahead. */
const AHEAD_MS = 310_000;
const role = roleOf('rotate-secrets');

const DECLARATION = `
spanner: { database: "projects/\${GOOGLE_CLOUD_PROJECT}/instances/main/databases/announced" }
kafka: { brokers: "\${KAFKA_BROKERS}" }
secrets:
  ${SECRET}:
    strategy: kafka-scram
    users: [sink-a, sink-b]
    every: 28d
    overlap: ${OVERLAP_MS}ms
`;

const time = { aheadMs: 0 };
let stack: Stack;
let manager: SecretManagerServiceClient;
let pubsub: PubSub;
before(async () => {
  stack = await openStack({
    declaration: DECLARATION,
    tables: '',
    rotating: SECRET,
    secretManagerNow: () => Date.now() + time.aheadMs,
  });
  const [servicePath = '', port] = (stack.cloud.env.SECRET_MANAGER_EMULATOR_HOST ?? '').split(':');
  const sslCreds = credentials.createInsecure();
  manager = new SecretManagerServiceClient({ servicePath, port: Number(port), sslCreds, projectId: localProject });
  pubsub = new PubSub({ projectId: localProject });
  const push = stack.rotateSecrets;
  assert.ok(push);
  await subscribe({ topic: TOPIC, subscription: SUBSCRIPTION, push, caller: identities.push });
});
after(async () => {
  await manager?.close();
  await pubsub?.close();
  await stack?.close();
});

const name = `projects/${localProject}/secrets/${SECRET}`;

async function aliases(): Promise<Record<string, number>> {
  const [{ versionAliases }] = await manager.getSecret({ name });
  return Object.fromEntries(Object.entries(versionAliases ?? {}).map(([alias, version]) => [alias, Number(version)]));
}

async function rotations(): Promise<{ readonly id: string; readonly step: string; readonly by: string }[]> {
  const sql = 'SELECT RotationId, Step, RequestedBy FROM PenstockRotations ORDER BY StartedAt';
  const [rows] = await stack.database.run({ sql, json: true });
  return rows.map((row: object) => {
    const { RotationId: id = '', Step: step = '', RequestedBy: by = '' }: Record<string, string> = { ...row };
    return { id, step, by };
  });
}

async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function post(caller: string, body: unknown): Promise<{ status: number; body: unknown }> {
  assert.ok(stack.rotateSecrets);
  const { url, audience } = stack.rotateSecrets;
  const token = await stack.cloud.identity.mintIdToken(caller, audience);
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

const announced = (nextRotationTime: string) => ({ name, rotation: { nextRotationTime } });

/** What Pub/Sub would push: the message that Secret Manager published, under another id. */
function pushed(messageId: string, nextRotationTime: string): Promise<{ status: number; body: unknown }> {
  const data = Buffer.from(JSON.stringify(announced(nextRotationTime))).toString('base64');
  const message = { messageId, data, attributes: { eventType: 'SECRET_ROTATE', secretId: name } };
  return post(identities.push, { message, subscription: `projects/${localProject}/subscriptions/${SUBSCRIPTION}` });
}

/** As the laptop's Secret Manager writes it. */
const toTime = (ms: number): string => new Date(ms).toISOString();

/** When Secret Manager's next announcement comes, after this one. */
async function announceNow(): Promise<string> {
  const seconds = Math.floor((Date.now() + time.aheadMs + AHEAD_MS) / 1000);
  const rotation = { nextRotationTime: { seconds }, rotationPeriod: { seconds: PERIOD_SECONDS } };
  const secret = { name, topics: [{ name: `projects/${localProject}/topics/${TOPIC}` }], rotation };
  await manager.updateSecret({ secret, updateMask: { paths: ['topics', 'rotation'] } });
  time.aheadMs += AHEAD_MS + 1_000;
  return toTime((seconds + PERIOD_SECONDS) * 1000);
}

/** Ticks until the old version is taken away: nobody uses it here. */
const retired = (): Promise<void> =>
  eventually('the old version is taken away', async () => {
    await post(identities.scheduler, {});
    const [versions] = await manager.listSecretVersions({ parent: name });
    return versions.filter(({ state }) => state === 'ENABLED').length === 1;
  });

let next = '';

test('SECRET_ROTATE of Secret Manager goes through Pub/Sub to rotate-secrets, which rotates once under its own role', async () => {
  assert.equal(stack.environments['rotate-secrets'].PENSTOCK_DATABASE_ROLE, role);
  next = await announceNow();
  await eventually('version 2 is current', async () => (await aliases()).current === 2);
  await eventually('it waits for its overlap, or is past it', async () =>
    (await rotations()).every(({ step }) => step === 'retire' || step === 'destroy'),
  );
  assert.deepEqual(await aliases(), { current: 2, previous: 1 });
  const [first, ...others] = await rotations();
  assert.deepEqual(others, []);
  assert.equal(first?.id, `scheduled-${next}`);
  assert.equal(first?.by, identities.push);
});

test('duplicates of the message, at once and late, from the topic and at the door, are the same rotation', async () => {
  const data = Buffer.from(JSON.stringify(announced(next)));
  const attributes = { eventType: 'SECRET_ROTATE', secretId: name };
  const topic = pubsub.topic(TOPIC);
  await Promise.all([topic.publishMessage({ data, attributes }), topic.publishMessage({ data, attributes })]);
  const both = await Promise.all([pushed('again-1', next), pushed('again-2', next)]);
  // One that comes while another is at it is sent again.
  assert.ok(
    both.every(({ status }) => status === 200 || status === 503),
    JSON.stringify(both),
  );
  const late = await pushed('late', next);
  assert.equal(late.status, 200, JSON.stringify(late));
  await retired();
  const latest = await pushed('latest', next);
  assert.equal(latest.status, 200);
  assert.deepEqual(await aliases(), { current: 2, previous: 1 });
  assert.equal((await rotations()).length, 1);
});

test('a message of another secret, or of another event, changes nothing and is not sent again', async () => {
  const topic = pubsub.topic(TOPIC);
  for (const attributes of [
    { eventType: 'SECRET_VERSION_ADD', secretId: name },
    { eventType: 'SECRET_ROTATE', secretId: `projects/${localProject}/secrets/undeclared` },
  ]) {
    await topic.publishMessage({ data: Buffer.from('{}'), attributes });
  }
  const known = await pushed('after', next);
  assert.equal(known.status, 200);
  assert.equal((await rotations()).length, 1);
});

test('rotate-secrets rotates nothing without its grants, and what was announced meanwhile when it has them again', async () => {
  const revoke = async (...statements: string[]): Promise<void> => {
    const [operation] = await stack.database.updateSchema(statements);
    await operation.promise();
  };
  await revoke(`REVOKE INSERT(RotationId) ON TABLE PenstockRotations FROM ROLE ${role}`);
  next = await announceNow();
  const refused = await pushed('without-grant', next);
  assert.ok(refused.status >= 500, JSON.stringify(refused));
  assert.deepEqual(await aliases(), { current: 2, previous: 1 });
  await migrateAccess(stack.declaration);
  await eventually('Pub/Sub has sent it again, and version 3 is current', async () => (await aliases()).current === 3);

  await revoke(`REVOKE SELECT(Version) ON TABLE PenstockSecretUsers FROM ROLE ${role}`);
  await eventually('the overlap is over, and who cannot see the last users takes nothing from them', async () =>
    JSON.stringify((await post(identities.scheduler, {})).body).includes('PenstockSecretUsers'),
  );
  const [version] = await manager.getSecretVersion({ name: `${name}/versions/2` });
  assert.equal(version.state, 'ENABLED');
  await migrateAccess(stack.declaration);
  await retired();
});
