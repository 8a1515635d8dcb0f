import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { credentials } from '@grpc/grpc-js';
import { openLocalDatabase } from '../../../deploy/cli/stack/open-local-database.ts';
import { localProject } from '../../../deploy/local/project.ts';
import { openSecretManagerServer } from '../../../deploy/local/secret-manager/server.ts';
import { openSpannerServer } from '../../../deploy/local/spanner/server.ts';

const launch = resolve(import.meta.dirname, '../../../deploy/cli/launch.js');
const dir = mkdtempSync(join(tmpdir(), 'rotate-back-'));
const config = join(dir, 'penstock.yaml');
after(() => rmSync(dir, { recursive: true }));

const database = `projects/${localProject}/instances/main/databases/rotation`;
mkdirSync(join(dir, 'policies'));
writeFileSync(
  join(dir, 'policies/two.cedar'),
  `permit (principal in Group::"operators", action, resource);
@id("back") forbid (principal, action == Action::"rotate", resource) when { context.back } unless { context.approved };`,
);
writeFileSync(
  config,
  `spanner: { database: ${database} }
secrets: { api-key: { strategy: hmac-key, every: 7d, overlap: 1h } }
access: { policies: ./policies, groups: { operators: [ada@example.com, bob@example.com] } }
`,
);

/** A secret with one version, which is current. */
async function addSecret(address: string): Promise<SecretManagerServiceClient> {
  const [servicePath = '', port] = address.split(':');
  const options = { servicePath, port: Number(port), sslCreds: credentials.createInsecure(), projectId: localProject };
  const client = new SecretManagerServiceClient(options);
  const parent = `projects/${localProject}`;
  const name = `${parent}/secrets/api-key`;
  await client.createSecret({ parent, secretId: 'api-key', secret: { replication: { automatic: {} } } });
  const value = JSON.stringify({ id: 'first', key: Buffer.alloc(32, 1).toString('base64') });
  await client.addSecretVersion({ parent: name, payload: { data: Buffer.from(value) } });
  await client.updateSecret({
    secret: { name, versionAliases: { current: 1 } },
    updateMask: { paths: ['version_aliases'] },
  });
  return client;
}

test('penstock rotate --back waits for a second person, and a yes for one version is none for another', async () => {
  const spanner = await openSpannerServer();
  const manager = await openSecretManagerServer();
  const env = {
    ...process.env,
    SPANNER_EMULATOR_HOST: spanner.address,
    SECRET_MANAGER_EMULATOR_HOST: manager.address,
    METADATA_SERVER_DETECTION: 'none',
  };
  process.env.SECRET_MANAGER_EMULATOR_HOST = manager.address;
  const opened = await openLocalDatabase({ env }, database, '');
  const client = await addSecret(manager.address);
  const penstock = async (who: string, ...args: string[]) => {
    const child = spawn(process.execPath, [launch, ...args, '--config', config, '--json'], {
      env: { ...env, PENSTOCK_IDENTITY: `${who}@example.com` },
    });
    const [out, error, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    return { status, out, error, asked: /approvals approve ([0-9a-f-]{36})/.exec(error)?.[1] ?? '' };
  };
  const current = async () => {
    const [secret] = await client.getSecret({ name: `projects/${localProject}/secrets/api-key` });
    return Number(secret.versionAliases?.current);
  };
  try {
    const rotated = await penstock('ada', 'rotate', 'api-key');
    assert.equal(rotated.status, 0, rotated.error);
    assert.equal(await current(), 2);

    const waiting = await penstock('ada', 'rotate', 'api-key', '--back');
    assert.equal(waiting.status, 1);
    assert.notEqual(waiting.asked, '', waiting.error);
    assert.equal(await current(), 2);
    const shown = JSON.parse((await penstock('bob', 'approvals', 'show', waiting.asked)).out);
    assert.deepEqual(shown.content, { kind: 'back', current: '2', next: '1' });
    assert.equal((await penstock('bob', 'approvals', 'approve', waiting.asked)).status, 0);
    const back = await penstock('ada', 'rotate', 'api-key', '--back');
    assert.equal(back.status, 0, back.error);
    assert.equal(await current(), 1);
    const again = await penstock('ada', 'rotate', 'api-key', '--back');
    assert.deepEqual([again.status, await current()], [1, 1]);
    assert.notEqual(again.asked, waiting.asked);
  } finally {
    await client.close();
    await opened.close();
    await manager.close();
    await spanner.close();
  }
});
