import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openSchemaRegistryServer } from '../../../deploy/local/schema-registry/server.ts';
import type { SchemaRegistry } from '../../../shared/adapters/registry/schema-registry.ts';
import { openSecretCache } from '../../../shared/adapters/secrets/open-secret-cache.ts';
import { openDeclaredRegistry } from '../../../shared/connect/declared-registry.ts';
import { openSecretServer, PROJECT } from '../adapters/secrets/secret-server.ts';

const basic = (password: string): string => `Basic ${Buffer.from(`u:${password}`).toString('base64')}`;

function ask(registry: SchemaRegistry, id: number): Promise<void> {
  return registry.prepare(() => (registry.needs(id) ? [id] : []));
}

test('openDeclaredRegistry() reads its secret when it is needed, and anew when the registry refused it', async (t) => {
  const secretServer = await openSecretServer();
  t.after(() => secretServer.close());
  let accepted = basic('old');
  const server = await openSchemaRegistryServer({ isAllowed: (header) => header === accepted });
  t.after(() => server.close());
  for (const schema of ['"int"', '"long"']) {
    const headers = { authorization: accepted };
    await fetch(`${server.url}/subjects/s/versions`, { method: 'POST', headers, body: JSON.stringify({ schema }) });
  }
  let now = 1_000_000;
  const secrets = openSecretCache({ projectId: PROJECT, clock: () => now });
  t.after(() => secrets.close());
  secretServer.rotate('registry-key', '{"username":"u","password":"old"}');
  const googleToken = async () => assert.fail('nobody asked for a token of Google');
  const registry = await openDeclaredRegistry(
    { url: server.url, auth: { kind: 'basic', secret: 'registry-key' } },
    { secrets, googleToken },
  );
  t.after(() => registry.close());
  assert.equal(secretServer.accessCount, 0);
  await ask(registry, 1);
  assert.equal(secretServer.accessCount, 1);
  secretServer.rotate('registry-key', '{"username":"u","password":"new"}');
  accepted = basic('new');
  now += 5_000;
  await ask(registry, 2);
  assert.equal(secretServer.accessCount, 2);
  assert.ok(registry.get(2));
});

test('openDeclaredRegistry() sends a secret’s token, or one of our own identity, as a bearer', async (t) => {
  const secretServer = await openSecretServer();
  t.after(() => secretServer.close());
  secretServer.rotate('registry-token', '{"token":"abc"}');
  const secrets = openSecretCache({ projectId: PROJECT });
  t.after(() => secrets.close());
  const seen: (string | undefined)[] = [];
  const server = await openSchemaRegistryServer({
    isAllowed: (header) => {
      seen.push(header);
      return true;
    },
  });
  t.after(() => server.close());
  const googleToken = async () => ({ value: 'ya29.x', expiresAtMs: 0, principal: 'p' });
  for (const auth of [{ kind: 'bearer', secret: 'registry-token' }, { kind: 'google' }, undefined] as const) {
    await ask(await openDeclaredRegistry({ url: server.url, auth }, { secrets, googleToken }), 1);
  }
  assert.deepEqual(seen, ['Bearer abc', 'Bearer ya29.x', undefined]);
});

test('openDeclaredRegistry() finds the registry where a secret says that it is', async (t) => {
  const secretServer = await openSecretServer();
  t.after(() => secretServer.close());
  const server = await openSchemaRegistryServer();
  t.after(() => server.close());
  secretServer.rotate('connection', JSON.stringify({ registry: `${server.url}/` }));
  secretServer.rotate('broken', JSON.stringify({ registry: 'nowhere' }));
  const secrets = openSecretCache({ projectId: PROJECT });
  t.after(() => secrets.close());
  const sources = { secrets, googleToken: async () => assert.fail('nobody asked for a token of Google') };
  const registry = await openDeclaredRegistry({ url: '', urlSecret: 'connection', auth: undefined }, sources);
  t.after(() => registry.close());
  assert.equal(await registry.latest('unknown'), 'absent');
  const broken = openDeclaredRegistry({ url: '', urlSecret: 'broken', auth: undefined }, sources);
  await assert.rejects(broken, /secrets\/broken.* has a field "registry" that is no URL/);
});
