import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { test } from 'node:test';
import { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { credentials } from '@grpc/grpc-js';
import { openSecretManagerServer, type Publish } from '../../../../deploy/local/secret-manager/server.ts';
import { readRotateRequest } from '../../../../functions/rotate-secrets/rotate-request.ts';

process.env.METADATA_SERVER_DETECTION = 'none';

const PROJECT = 'projects/laptop';
const NAME = `${PROJECT}/secrets/s`;
const TOPIC = `${PROJECT}/topics/rotations`;
const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 0, 1);

interface Told {
  readonly topic: string;
  readonly data: Record<string, unknown>;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A secret with these settings, and time that stands until it is moved. */
async function withSecret(
  settings: object,
  use: (stage: {
    readonly client: SecretManagerServiceClient;
    readonly told: readonly Told[];
    readonly time: { nowMs: number };
    /** Settles with the next message of this type. */
    readonly next: (eventType: string) => Promise<unknown>;
  }) => Promise<void>,
): Promise<void> {
  const time = { nowMs: START_MS };
  const told: Told[] = [];
  const heard = new EventEmitter();
  const publish: Publish = (topic, { data, attributes }) => {
    told.push({ topic, data: JSON.parse(data.toString()), attributes });
    heard.emit(attributes.eventType ?? '');
  };
  const server = await openSecretManagerServer({ now: () => time.nowMs, publish });
  const [servicePath = '', port] = server.address.split(':');
  const sslCreds = credentials.createInsecure();
  const client = new SecretManagerServiceClient({ servicePath, port: Number(port), sslCreds, projectId: 'laptop' });
  try {
    const secret = { replication: { automatic: {} }, ...settings };
    await client.createSecret({ parent: PROJECT, secretId: 's', secret });
    await use({ client, told, time, next: (eventType) => once(heard, eventType) });
  } finally {
    await client.close();
    await server.close();
  }
}

const seconds = (ms: number) => ({ seconds: ms / 1000 });
const rotating = {
  topics: [{ name: TOPIC }],
  rotation: { nextRotationTime: seconds(START_MS + HOUR_MS), rotationPeriod: seconds(HOUR_MS) },
};

test('a rotation that is due is announced once, with the time of the next, as rotate-secrets reads it', () =>
  withSecret(rotating, async ({ client, told, time, next }) => {
    const announced = next('SECRET_ROTATE');
    // Two and a half periods: those that passed are one.
    time.nowMs += 2.5 * HOUR_MS;
    await announced;
    const [message, ...others] = told.filter(({ attributes }) => attributes.eventType === 'SECRET_ROTATE');
    assert.deepEqual(others, []);
    assert.equal(message?.topic, TOPIC);
    const { secretId, dataFormat } = message.attributes;
    assert.deepEqual({ secretId, dataFormat }, { secretId: NAME, dataFormat: 'JSON_API_V1' });
    const data = Buffer.from(JSON.stringify(message.data)).toString('base64');
    const subscription = 'projects/p/subscriptions/rotations';
    const body = { message: { messageId: '1', data, attributes: message.attributes }, subscription };
    const caller = { name: 'push@p', issuer: 'test' };
    assert.deepEqual(readRotateRequest(body, undefined, { subscription, isDeclared: () => true, caller }), {
      kind: 'rotate',
      secret: 's',
      id: 'scheduled-2026-01-01T03:00:00.000Z',
    });
    const [secret] = await client.getSecret({ name: NAME });
    assert.equal(Number(secret.rotation?.nextRotationTime?.seconds), (START_MS + 3 * HOUR_MS) / 1000);
  }));

test('rotations that production refuses are refused', () =>
  withSecret({}, async ({ client }) => {
    const update = (secret: object, ...paths: string[]) =>
      client.updateSecret({ secret: { name: NAME, ...secret }, updateMask: { paths } });
    const soon = { nextRotationTime: seconds(START_MS + 60_000) };
    await assert.rejects(update({ rotation: rotating.rotation }, 'rotation'), /3 INVALID_ARGUMENT.*at least one topic/);
    await assert.rejects(
      update({ ...rotating, rotation: soon }, 'topics', 'rotation'),
      /at least 300 seconds from now/,
    );
    const often = { ...rotating.rotation, rotationPeriod: seconds(60_000) };
    await assert.rejects(update({ ...rotating, rotation: often }, 'topics', 'rotation'), /from 3600 to 3153600000/);
    await assert.rejects(update({ expireTime: seconds(START_MS) }, 'expire_time'), /at least 60 seconds from now/);
    await assert.rejects(update({ versionDestroyTtl: seconds(HOUR_MS) }, 'version_destroy_ttl'), /from 24 hours/);
    const [secret] = await update(rotating, 'topics', 'rotation');
    assert.equal(secret.topics?.[0]?.name, TOPIC);
  }));

test('a version is destroyed when its delay is over, and is brought back before', () =>
  withSecret({ topics: [{ name: TOPIC }], versionDestroyTtl: seconds(24 * HOUR_MS) }, async (stage) => {
    const { client, time, next, told } = stage;
    const name = `${NAME}/versions/1`;
    await client.addSecretVersion({ parent: NAME, payload: { data: Buffer.from('value') } });
    const [scheduled] = await client.destroySecretVersion({ name });
    assert.equal(scheduled.state, 'DISABLED');
    assert.equal(Number(scheduled.scheduledDestroyTime?.seconds), (START_MS + 24 * HOUR_MS) / 1000);
    await assert.rejects(client.accessSecretVersion({ name }), /is in DISABLED state/);
    const [back] = await client.enableSecretVersion({ name });
    assert.equal(back.scheduledDestroyTime, null);
    await client.accessSecretVersion({ name });
    await client.destroySecretVersion({ name });
    const destroyed = next('SECRET_VERSION_DESTROY');
    time.nowMs += 25 * HOUR_MS;
    await destroyed;
    await assert.rejects(client.enableSecretVersion({ name }), /is in DESTROYED state/);
    const types = told.map(({ attributes }) => attributes.eventType?.replace('SECRET_', ''));
    const scheduledType = 'VERSION_DESTROY_SCHEDULED';
    const wanted = ['CREATE', 'VERSION_ADD', scheduledType, 'VERSION_ENABLE', scheduledType, 'VERSION_DESTROY'];
    assert.deepEqual(types, wanted);
  }));

test('an expired secret is gone, and its topics are told that nobody asked for it', () =>
  withSecret({ topics: [{ name: TOPIC }], ttl: seconds(HOUR_MS) }, async ({ client, time, next, told }) => {
    const deleted = next('SECRET_DELETE');
    time.nowMs += 2 * HOUR_MS;
    await deleted;
    await assert.rejects(client.getSecret({ name: NAME }), /5 NOT_FOUND/);
    assert.equal(told.at(-1)?.attributes.deleteType, 'EXPIRATION');
  }));
