import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { openSchemaRegistryServer } from '../../../../deploy/local/schema-registry/server.ts';
import { RegistryUnavailableError } from '../../../../shared/adapters/registry/registry-error.ts';
import { openSchemaRegistry, type SchemaRegistry } from '../../../../shared/adapters/registry/schema-registry.ts';

type Options = Parameters<typeof openSchemaRegistryServer>[0];

async function openServer(t: TestContext, options: Options = {}) {
  const server = await openSchemaRegistryServer(options);
  t.after(() => server.close());
  return server;
}

async function register(url: string, subject: string, body: object, authorization?: string): Promise<number> {
  const answer = await fetch(`${url}/subjects/${encodeURIComponent(subject)}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) },
    body: JSON.stringify(body),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  const { id }: { id: number } = JSON.parse(await answer.text());
  return id;
}

/** Answers requests as the test says, for what no well-behaved registry does. */
async function openOdd(t: TestContext, answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return `http://127.0.0.1:${address.port}`;
}

const open = (url: string, more: object = {}): SchemaRegistry =>
  openSchemaRegistry({ url, authorize: async () => undefined, firstDelayMs: 1, ...more });

/** As a batch does whose records name these schemas. */
function prepare(registry: SchemaRegistry, ...ids: number[]): Promise<void> {
  return registry.prepare(() => ids.filter((id) => registry.needs(id)));
}

test('openSchemaRegistry() asks once for a schema, however many need it, and remembers it', async (t) => {
  const requests: string[] = [];
  const { url } = await openServer(t, { onRequest: (request) => requests.push(request) });
  const id = await register(url, 'a', { schema: '"string"' });
  requests.length = 0;
  const registry = open(`${url}/`);
  assert.equal(registry.get(id), undefined);
  await Promise.all([prepare(registry, id, id), prepare(registry, id)]);
  await prepare(registry, id);
  assert.deepEqual(requests, [`GET /schemas/ids/${id}`]);
  assert.deepEqual(registry.get(id), { id, type: 'AVRO', text: '"string"', references: [] });
});

test('openSchemaRegistry() resolves references, those of references first, each once', async (t) => {
  const { url } = await openServer(t);
  await register(url, 'leaf/1', { schemaType: 'PROTOBUF', schema: 'leaf' });
  const leaf = { name: 'leaf.proto', subject: 'leaf/1', version: 1 };
  await register(url, 'middle', { schemaType: 'PROTOBUF', schema: 'middle', references: [leaf] });
  const middle = { name: 'middle.proto', subject: 'middle', version: 1 };
  const id = await register(url, 'top', { schemaType: 'PROTOBUF', schema: 'top', references: [leaf, middle] });
  const again = await register(url, 'top-again', {
    schemaType: 'PROTOBUF',
    schema: 'top2',
    references: [middle, leaf],
  });
  const registry = open(url);
  await prepare(registry, id, again);
  const references = [
    { name: 'leaf.proto', text: 'leaf' },
    { name: 'middle.proto', text: 'middle' },
  ];
  assert.deepEqual(registry.get(id), { id, type: 'PROTOBUF', text: 'top', references });
  assert.deepEqual(registry.get(again), { id: again, type: 'PROTOBUF', text: 'top2', references });
});

test('openSchemaRegistry() remembers for half a minute that a schema is absent', async (t) => {
  const requests: string[] = [];
  let now = 0;
  const { url } = await openServer(t, { onRequest: (request) => requests.push(request) });
  const registry = open(url, { clock: () => now });
  await prepare(registry, 1);
  assert.equal(registry.get(1), 'absent');
  await prepare(registry, 1);
  assert.equal(requests.length, 1);
  assert.equal(await register(url, 's', { schema: '"int"' }), 1);
  now = 30_001;
  await prepare(registry, 1);
  assert.notEqual(registry.get(1), 'absent');
});

test('openSchemaRegistry() sends Basic credentials, and asks for fresh ones once when they are refused', async (t) => {
  const now = `Basic ${Buffer.from('u:new').toString('base64')}`;
  const { url } = await openServer(t, { isAllowed: (header) => header === now });
  const id = await register(url, 's', { schema: '"int"' }, now);
  const asked: boolean[] = [];
  const authorize = async (fresh: boolean): Promise<string> => {
    asked.push(fresh);
    return fresh ? now : 'Basic old';
  };
  const registry = open(url, { authorize });
  await prepare(registry, id);
  assert.ok(registry.get(id));
  assert.deepEqual(asked, [false, true]);
  const wrong = open(url, {
    authorize: async (fresh: boolean): Promise<string> => {
      asked.push(fresh);
      return 'Bearer secret-token';
    },
  });
  await assert.rejects(prepare(wrong, id), (error: Error) => {
    assert.ok(error instanceof RegistryUnavailableError);
    assert.match(String(error.cause), /401/);
    assert.ok(!`${error.message}${error.cause}`.includes('secret-token'));
    return true;
  });
  assert.deepEqual(asked.slice(2), [false, true]);
});

test('openSchemaRegistry() tries a busy registry again, and is retryable when it stays so', async (t) => {
  const answers = [503, 429, 200];
  const url = await openOdd(t, (_request, response) => {
    const status = answers.shift() ?? 500;
    response.writeHead(status, { 'retry-after': '0' }).end(status === 200 ? '{"schema":"\\"int\\""}' : '{}');
  });
  const registry = open(url);
  await prepare(registry, 7);
  assert.deepEqual(registry.get(7), { id: 7, type: 'AVRO', text: '"int"', references: [] });
  await assert.rejects(prepare(registry, 8), { code: 'REGISTRY_UNAVAILABLE', retryable: true });
  assert.equal(registry.get(8), undefined, 'it is asked again, not taken for absent');
});

for (const [what, status, body] of [
  ['a 404 of something that is no registry', 404, '<html>'],
  ['a 404 without the registry’s own code', 404, '{"error_code":404}'],
  ['a 403', 403, '{"error_code":40301,"message":"denied"}'],
  ['an answer that is no JSON', 200, '<html>'],
  ['an answer without a schema', 200, '{"id":7}'],
] as const) {
  test(`openSchemaRegistry() waits at ${what}`, async (t) => {
    const url = await openOdd(t, (_request, response) => response.writeHead(status).end(body));
    const registry = open(url);
    await assert.rejects(prepare(registry, 7), { code: 'REGISTRY_UNAVAILABLE', retryable: true });
    assert.equal(registry.get(7), undefined);
  });
}

test('openSchemaRegistry() does not wait for ever, nor follow anyone elsewhere with its credentials', async (t) => {
  const silent = await openOdd(t, () => {});
  await assert.rejects(prepare(open(silent, { timeoutMs: 20 }), 7), { code: 'REGISTRY_UNAVAILABLE' });
  let reached = 0;
  const elsewhere = await openOdd(t, (_request, response) => {
    reached++;
    response.end('{"schema":"\\"int\\""}');
  });
  const moved = await openOdd(t, (_request, response) => response.writeHead(307, { location: elsewhere }).end());
  await assert.rejects(prepare(open(moved), 7), { code: 'REGISTRY_UNAVAILABLE' });
  assert.equal(reached, 0);
});

test('openSchemaRegistry() marks schemas that nobody should use', async (t) => {
  const url = await openOdd(t, ({ url: path = '' }, response) => {
    const reference = { name: `n${path}`, subject: `${path}x`, version: 1 };
    if (path.endsWith('/1')) response.end(JSON.stringify({ schema: 'x'.repeat(1_100_000) }));
    if (path.endsWith('/2')) response.end('x'.repeat(5_000_000));
    if (path.endsWith('/3')) response.end('{"schema":"x","schemaType":"XML"}');
    if (path.endsWith('/4') || path.startsWith('/subjects')) {
      response.end(JSON.stringify({ schema: 'x', references: [reference] }));
    }
  });
  const registry = open(url);
  await prepare(registry, 1, 2, 3);
  for (const [id, reason] of [
    [1, /1048576 characters/],
    [2, /1048576 characters/],
    [3, /XML/],
  ] as const) {
    const held = registry.get(id);
    assert.ok(typeof held === 'object' && 'unusable' in held);
    assert.match(held.unusable, reason);
  }
});

test('openSchemaRegistry() bounds references that never end', async (t) => {
  let asked = 0;
  const url = await openOdd(t, (_request, response) => {
    asked++;
    response.end(
      JSON.stringify({ schema: 'x', references: [{ name: `n${asked}`, subject: `s${asked}`, version: 1 }] }),
    );
  });
  const registry = open(url);
  await prepare(registry, 4);
  const held = registry.get(4);
  assert.ok(typeof held === 'object' && 'unusable' in held && /100 references/.test(held.unusable));
  assert.ok(asked <= 102, `${asked} requests`);
});

test('openSchemaRegistry() forgets the schemas that were used longest ago, never those of the batch in hand', async (t) => {
  const url = await openOdd(t, (_request, response) => response.end('{"schema":"\\"int\\""}'));
  const registry = open(url);
  const first = Array.from({ length: 900 }, (_, at) => at);
  const second = Array.from({ length: 400 }, (_, at) => 1_000 + at);
  await prepare(registry, ...first);
  await prepare(registry, ...second);
  assert.ok([...first, ...second].every((id) => registry.get(id) !== undefined));
  await prepare(registry, ...second);
  await prepare(registry, ...second);
  assert.ok(second.every((id) => registry.get(id) !== undefined));
  assert.equal(first.filter((id) => registry.get(id) !== undefined).length, 600);
});

test('openSchemaRegistry() refuses addresses that hold credentials, without repeating them', () => {
  for (const url of ['ftp://x', 'nonsense', 'https://u:hunter2@host', 'https://host?token=hunter2']) {
    assert.throws(
      () => open(url),
      (error: Error) => error instanceof RangeError && !error.message.includes('hunter2'),
    );
  }
});
