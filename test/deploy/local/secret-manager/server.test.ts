import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { credentials } from '@grpc/grpc-js';
import { crc32c } from '../../../../deploy/local/secret-manager/crc32c.ts';
import { openSecretManagerServer } from '../../../../deploy/local/secret-manager/server.ts';

// The client looks for a metadata server even where it needs no credentials.
process.env.METADATA_SERVER_DETECTION = 'none';

const PROJECT = 'projects/laptop';
const NAME = `${PROJECT}/secrets/kafka-sink`;

async function withServer(
  options: NonNullable<Parameters<typeof openSecretManagerServer>[0]>,
  use: (client: SecretManagerServiceClient) => Promise<void>,
): Promise<void> {
  const server = await openSecretManagerServer(options);
  const [servicePath = '', port] = server.address.split(':');
  const sslCreds = credentials.createInsecure();
  const client = new SecretManagerServiceClient({ servicePath, port: Number(port), sslCreds, projectId: 'laptop' });
  try {
    await use(client);
  } finally {
    await client.close();
    await server.close();
  }
}

async function withVersions(count: number, use: (client: SecretManagerServiceClient) => Promise<void>): Promise<void> {
  await withServer({}, async (client) => {
    await createWithVersions(client, count);
    await use(client);
  });
}

async function createWithVersions(client: SecretManagerServiceClient, count: number): Promise<void> {
  await client.createSecret({ parent: PROJECT, secretId: 'kafka-sink', secret: { replication: { automatic: {} } } });
  for (let number = 1; number <= count; number += 1) {
    const data = Buffer.from(`password-${number}`);
    await client.addSecretVersion({ parent: NAME, payload: { data, dataCrc32c: crc32c(data) } });
  }
}

async function read(client: SecretManagerServiceClient, version: string): Promise<string> {
  const [{ payload }] = await client.accessSecretVersion({ name: `${NAME}/versions/${version}` });
  const data = Buffer.from(payload?.data ?? '');
  assert.equal(Number(payload?.dataCrc32c), crc32c(data));
  return data.toString();
}

async function setAliases(
  client: SecretManagerServiceClient,
  versionAliases: Record<string, number>,
  etag = '',
): Promise<string> {
  const secret = { name: NAME, versionAliases, etag };
  const [updated] = await client.updateSecret({ secret, updateMask: { paths: ['version_aliases'] } });
  return updated.etag ?? '';
}

test('crc32c() gives the known checksum', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
});

test('a version is read by number, by alias and as latest, with its checksum', () =>
  withVersions(3, async (client) => {
    await setAliases(client, { current: 2, previous: 1 });
    assert.equal(await read(client, '1'), 'password-1');
    assert.equal(await read(client, 'latest'), 'password-3');
    assert.equal(await read(client, 'current'), 'password-2');
    assert.equal(await read(client, 'previous'), 'password-1');
    const [{ name }] = await client.accessSecretVersion({ name: `${NAME}/versions/current` });
    assert.equal(name, `${NAME}/versions/2`);
    await assert.rejects(read(client, 'pending'), /5 NOT_FOUND: Secret Version \[.*pending\] not found/);
    await assert.rejects(read(client, '4'), /5 NOT_FOUND/);
    await assert.rejects(read(client, 'constructor'), /5 NOT_FOUND/);
  }));

test('aliases name versions that exist, and never latest', () =>
  withVersions(1, async (client) => {
    await assert.rejects(
      setAliases(client, { current: 2 }),
      /9 FAILED_PRECONDITION.*version 2, which Secret .* does not have/,
    );
    await assert.rejects(setAliases(client, { latest: 1 }), /3 INVALID_ARGUMENT.*latest/);
    await assert.rejects(setAliases(client, { '1': 1 }), /3 INVALID_ARGUMENT/);
    const tooMany = Object.fromEntries(Array.from({ length: 51 }, (_, at) => [`a${at}`, 1]));
    await assert.rejects(setAliases(client, tooMany), /at most 50/);
  }));

test('of two that move an alias under the same etag one wins, and the other is told', () =>
  withVersions(2, async (client) => {
    const etag = await setAliases(client, { current: 1 });
    const outcomes = await Promise.allSettled([
      setAliases(client, { current: 2, previous: 1 }, etag),
      setAliases(client, { current: 1, pending: 2 }, etag),
    ]);
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const lost = outcomes.find((outcome) => outcome.status === 'rejected');
    assert.match(String(lost?.reason), /9 FAILED_PRECONDITION: The etag provided/);
    const [secret] = await client.getSecret({ name: NAME });
    assert.notEqual(secret.etag, etag);
    await assert.rejects(client.deleteSecret({ name: NAME, etag }), /9 FAILED_PRECONDITION/);
    await client.deleteSecret({ name: NAME, etag: secret.etag ?? '' });
    await assert.rejects(
      client.getSecret({ name: NAME }),
      /5 NOT_FOUND: Secret \[projects\/laptop\/secrets\/kafka-sink\] not found/,
    );
  }));

test('a disabled version is not read, an enabled one again, a destroyed one never', () =>
  withVersions(1, async (client) => {
    const name = `${NAME}/versions/1`;
    const [disabled] = await client.disableSecretVersion({ name });
    assert.equal(disabled.state, 'DISABLED');
    await assert.rejects(
      read(client, '1'),
      /9 FAILED_PRECONDITION: Secret Version \[.*versions\/1\] is in DISABLED state/,
    );
    await assert.rejects(client.enableSecretVersion({ name, etag: '"stale"' }), /9 FAILED_PRECONDITION: The etag/);
    await client.enableSecretVersion({ name, etag: disabled.etag ?? '' });
    assert.equal(await read(client, '1'), 'password-1');
    const [destroyed] = await client.destroySecretVersion({ name });
    assert.equal(destroyed.state, 'DESTROYED');
    assert.ok(destroyed.destroyTime);
    await assert.rejects(read(client, 'latest'), /is in DESTROYED state/);
    await assert.rejects(client.enableSecretVersion({ name }), /is in DESTROYED state/);
  }));

test('AddSecretVersion refuses a damaged, an empty and an oversized payload', () =>
  withVersions(0, async (client) => {
    const add = (payload: object) => client.addSecretVersion({ parent: NAME, payload });
    const data = Buffer.from('secret');
    await assert.rejects(add({ data, dataCrc32c: 1 }), /3 INVALID_ARGUMENT.*CRC32C/);
    await assert.rejects(add({ data: Buffer.alloc(0) }), /3 INVALID_ARGUMENT.*empty/);
    await assert.rejects(add({ data: Buffer.alloc(65_537) }), /more than the allowed 65536/);
    const [version] = await add({ data });
    assert.equal(version.clientSpecifiedPayloadChecksum, false);
    assert.equal(version.state, 'ENABLED');
  }));

test('secrets and versions are listed in pages, versions newest first', () =>
  withVersions(3, async (client) => {
    const [versions] = await client.listSecretVersions({ parent: NAME, pageSize: 2 });
    assert.deepEqual(
      versions.map(({ name }) => name?.split('/').at(-1)),
      ['3', '2', '1'],
    );
    await client.createSecret({ parent: PROJECT, secretId: 'a-second', secret: { replication: { automatic: {} } } });
    const [secrets] = await client.listSecrets({ parent: PROJECT, pageSize: 1 });
    assert.deepEqual(
      secrets.map(({ name }) => name?.split('/').at(-1)),
      ['a-second', 'kafka-sink'],
    );
    await assert.rejects(createWithVersions(client, 0), /6 ALREADY_EXISTS/);
    const replication = { userManaged: { replicas: [{ location: 'europe-west1' }] } };
    await assert.rejects(
      client.createSecret({ parent: PROJECT, secretId: 'x', secret: { replication } }),
      /12 UNIMPLEMENTED: Secret.replication.user_managed/,
    );
  }));

test('secrets survive a restart in a file that only their owner reads', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'secrets-'));
  try {
    let etag = '';
    await withServer({ dir }, async (client) => {
      await createWithVersions(client, 2);
      etag = await setAliases(client, { current: 2 });
    });
    assert.equal(statSync(join(dir, 'secrets.json')).mode & 0o077, 0);
    await withServer({ dir }, async (client) => {
      assert.equal(await read(client, 'current'), 'password-2');
      assert.notEqual(await setAliases(client, { current: 1 }, etag), etag);
    });
  } finally {
    rmSync(dir, { recursive: true });
  }
});
