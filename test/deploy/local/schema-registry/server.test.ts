import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfluentSchemaRegistry } from '@platformatic/kafka';
import { openSchemaRegistryServer } from '../../../../deploy/local/schema-registry/server.ts';

async function ask(url: string, method = 'GET', body?: unknown): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(url, {
    method,
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: await answer.json() };
}

test('openSchemaRegistryServer() gives the same schema the same id, and each version of a subject its number', async (t) => {
  const { url, close } = await openSchemaRegistryServer();
  t.after(close);
  const versions = `${url}/subjects/a%2Fb/versions`;
  assert.deepEqual(await ask(versions), {
    status: 404,
    body: { error_code: 40401, message: "Subject 'a/b' not found." },
  });
  assert.deepEqual((await ask(versions, 'POST', { schema: '"int"' })).body, { id: 1 });
  assert.deepEqual((await ask(versions, 'POST', { schema: '"int"', schemaType: 'AVRO' })).body, { id: 1 });
  assert.deepEqual((await ask(versions, 'POST', { schema: '{}', schemaType: 'JSON' })).body, { id: 2 });
  assert.deepEqual((await ask(`${url}/subjects/c/versions`, 'POST', { schema: '"int"' })).body, { id: 1 });
  assert.deepEqual((await ask(versions)).body, [1, 2]);
  assert.deepEqual((await ask(`${url}/subjects`)).body, ['a/b', 'c']);
  assert.deepEqual((await ask(`${versions}/latest`)).body, {
    subject: 'a/b',
    version: 2,
    id: 2,
    schema: '{}',
    schemaType: 'JSON',
  });
  assert.deepEqual((await ask(`${url}/schemas/ids/1`)).body, { schema: '"int"' });
  assert.deepEqual((await ask(`${url}/schemas/ids/1/versions`)).body, [
    { subject: 'a/b', version: 1 },
    { subject: 'c', version: 1 },
  ]);
  assert.equal((await ask(`${url}/schemas/ids/9`)).status, 404);
  assert.deepEqual((await ask(`${versions}/9`)).body, { error_code: 40402, message: 'Version 9 not found.' });
  assert.equal((await ask(`${url}/subjects/c`, 'POST', { schema: '"int"' })).status, 200);
  assert.equal((await ask(`${url}/subjects/c`, 'POST', { schema: '"long"' })).status, 404);
});

test('openSchemaRegistryServer() refuses schemas that are none, and references to nothing', async (t) => {
  const { url, close } = await openSchemaRegistryServer();
  t.after(close);
  const references = [{ name: 'x', subject: 'x', version: 1 }];
  for (const body of [
    {},
    { schema: '' },
    { schema: '{' },
    { schema: '{}', schemaType: 'XML' },
    { schema: '"int"', references },
    { schema: '"int"', references: [{ name: 1 }] },
    [],
    5,
  ]) {
    const answer = await ask(`${url}/subjects/s/versions`, 'POST', body);
    assert.equal(answer.status, 422, JSON.stringify(body));
  }
  assert.deepEqual((await ask(`${url}/subjects`)).body, []);
});

test('openSchemaRegistryServer() keeps schemas, ids and references over a restart', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'registry-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const first = await openSchemaRegistryServer({ dir });
  await ask(`${first.url}/subjects/a/versions`, 'POST', { schema: '"int"' });
  const references = [{ name: 'a', subject: 'a', version: 1 }];
  await ask(`${first.url}/subjects/b/versions`, 'POST', { schema: '"string"', references });
  await first.close();
  const second = await openSchemaRegistryServer({ dir });
  t.after(() => second.close());
  assert.deepEqual((await ask(`${second.url}/schemas/ids/2`)).body, { schema: '"string"', references });
  assert.deepEqual((await ask(`${second.url}/subjects/c/versions`, 'POST', { schema: '"long"' })).body, { id: 3 });
});

test('openSchemaRegistryServer() serves a client that nobody here wrote', async (t) => {
  const { url, close } = await openSchemaRegistryServer({
    isAllowed: (header) => header === `Basic ${Buffer.from('u:p').toString('base64')}`,
  });
  t.after(close);
  const authorization = `Basic ${Buffer.from('u:p').toString('base64')}`;
  await fetch(`${url}/subjects/s/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    body: JSON.stringify({ schema: '{"type":"record","name":"R","fields":[{"name":"n","type":"int"}]}' }),
  });
  const client = new ConfluentSchemaRegistry({ url, auth: { username: 'u', password: 'p' } });
  await new Promise<void>((resolve, reject) => {
    void client.fetchSchema(1, (error) => (error ? reject(error) : resolve()));
  });
  assert.equal(client.get(1)?.type, 'avro');
  const refused = new ConfluentSchemaRegistry({ url, retries: 0 });
  await assert.rejects(
    new Promise<void>((resolve, reject) => {
      void refused.fetchSchema(1, (error) => (error ? reject(error) : resolve()));
    }),
  );
});
