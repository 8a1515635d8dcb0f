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
import { PrintedLines } from './printed-lines.ts';

const SECRET = 'kafka-sink';
const TOPIC = 'secret-events';
const SUBSCRIPTION = 'penstock-rotations';
const PERIOD_SECONDS = 3_600;
/** Secret Manager wants the next rotation at least five minutes ahead. */
const AHEAD_MS = 310_000;
const role = roleOf('rotate-secrets');

/** Without an overlap a rotation takes the old version away in the same run: its last line tells that all is done. */
const DECLARATION = `
spanner: { database: "projects/\${GOOGLE_CLOUD_PROJECT}/instances/main/databases/announced" }
kafka: { brokers: "\${KAFKA_BROKERS}" }
secrets:
  ${SECRET}:
    strategy: kafka-scram
    users: [sink-a, sink-b]
    every: 28d
    overlap: 0s
`;

const time = { aheadMs: 0 };
/** What rotate-secrets prints. */
const printed = new PrintedLines();
let stack: Stack;
let manager: SecretManagerServiceClient;
let pubsub: PubSub;
before(async () => {
  stack = await openStack({
    declaration: DECLARATION,
    tables: '',
    rotating: SECRET,
    secretManagerNow: () => Date.now() + time.aheadMs,
    onLine: (from, line) => from === 'rotate-secrets' && printed.add(line),
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

/** Waits until rotate-secrets has taken this version away. */
async function untilGone(version: number): Promise<void> {
  const isIt = (line: Readonly<Record<string, unknown>>): boolean => line.outcome === 'done' && line.from === version;
  await printed.until(() => printed.audited('secret.revoke').some(isIt), `the end of version ${version}`);
}

async function stateOf(version: number): Promise<unknown> {
  return (await manager.getSecretVersion({ name: `${name}/versions/${version}` }))[0].state;
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

let next = '';

test('SECRET_ROTATE of Secret Manager goes through Pub/Sub to rotate-secrets, which rotates once under its own role', async () => {
  assert.equal(stack.environments['rotate-secrets'].PENSTOCK_DATABASE_ROLE, role);
  next = await announceNow();
  await untilGone(1);
  assert.deepEqual(await aliases(), { current: 2, previous: 1 });
  assert.equal(await stateOf(1), 'DISABLED');
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
  const { status, body } = await post(identities.scheduler, {});
  assert.equal(status, 200, JSON.stringify(body));
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
  // Pub/Sub sends it again.
  await untilGone(2);
  assert.deepEqual(await aliases(), { current: 3, previous: 2 });

  await revoke(`REVOKE SELECT(Version) ON TABLE PenstockSecretUsers FROM ROLE ${role}`);
  const before = printed.all.length;
  next = await announceNow();
  const isHeldUp = (line: string): boolean =>
    line.includes('"severity":"ERROR"') && line.includes('PenstockSecretUsers');
  await printed.until(() => printed.all.slice(before).some(isHeldUp), 'the line of a rotation that is held up');
  assert.equal((await aliases()).current, 4);
  assert.equal(await stateOf(3), 'ENABLED', 'who cannot see the last users takes nothing from them');
  await migrateAccess(stack.declaration);
  await untilGone(3);
  assert.equal(await stateOf(3), 'DISABLED');
});
