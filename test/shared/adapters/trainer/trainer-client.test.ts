import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { trainerClient } from '../../../../shared/adapters/trainer/trainer-client.ts';
import { TrainerRefusedError, TrainerUnavailableError } from '../../../../shared/adapters/trainer/trainer-error.ts';

const place = { epoch: 'e', shard: 0, sequence: 0 };

/** A trainer whose answers the test scripts, and a client whose pauses it counts. */
async function open(
  context: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse, count: number) => void,
) {
  let count = 0;
  const server = createServer((request, response) => {
    request.resume().on('end', () => answer(request, response, ++count));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const pauses: number[] = [];
  const controller = new AbortController();
  const client = trainerClient({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    authorization: async () => 'Bearer token',
    signal: controller.signal,
    pause: async (ms, signal) => {
      pauses.push(ms);
      signal.throwIfAborted();
    },
  });
  return { client, pauses, controller, requests: () => count };
}

const accepted = (credits: number) => JSON.stringify({ status: 'accepted', credits });

test('trainerClient() sends digest and token, and waits before the next batch when there are no credits', async (context) => {
  const seen: IncomingMessage['headers'][] = [];
  const { client, pauses } = await open(context, (request, response, count) => {
    seen.push(request.headers);
    response.end(accepted(count === 1 ? 0 : 3));
  });
  assert.equal(await client.putBatch(place, Buffer.from('body')), 'accepted');
  assert.deepEqual(pauses, []);
  await client.putBatch({ ...place, sequence: 1 }, Buffer.from('body'));
  await client.putBatch({ ...place, sequence: 2 }, Buffer.from('body'));
  assert.deepEqual(pauses, [250]);
  assert.equal(seen[0]?.authorization, 'Bearer token');
  const digest = createHash('sha256').update('body').digest('base64');
  assert.equal(seen[0]?.['content-digest'], `sha-256=:${digest}:`);
});

test('trainerClient() obeys Retry-After in seconds and as a date, and connections that break', async (context) => {
  const { client, pauses } = await open(context, (request, response, count) => {
    if (count === 1) response.writeHead(429, { 'retry-after': '7' }).end();
    else if (count === 2) response.writeHead(503, { 'retry-after': new Date(Date.now() - 1000).toUTCString() }).end();
    else if (count === 3) request.socket.destroy();
    else response.end(accepted(1));
  });
  await client.putBatch(place, Buffer.from('body'));
  assert.deepEqual(pauses.slice(0, 2), [7000, 0]);
  assert.equal(pauses.length, 3);
});

test('trainerClient() gives up a trainer that is down, and never sends a refused request again', async (context) => {
  const down = await open(context, (request) => request.socket.destroy());
  await assert.rejects(down.client.endEpoch('e'), TrainerUnavailableError);
  assert.equal(down.requests(), 6);
  const refusing = await open(context, (_, response) =>
    response.writeHead(409).end('{"detail":"announced otherwise"}'),
  );
  await assert.rejects(refusing.client.announce('e', {}), (error) => {
    assert.ok(error instanceof TrainerRefusedError && !error.retryable);
    return /409 .*announced otherwise/.test(error.message);
  });
  assert.equal(refusing.requests(), 1);
  const odd = await open(context, (_, response) => response.end('<html>'));
  await assert.rejects(odd.client.putBatch(place, Buffer.from('x')), TrainerRefusedError);
  await assert.rejects(odd.client.putBatch(place, Buffer.alloc(16 * 1024 * 1024 + 1)), /413 .*fewer batchRows/);
});

test('trainerClient() ends its waiting when it is told to stop', async (context) => {
  const { client, controller } = await open(context, (_, response) => {
    controller.abort();
    response.writeHead(429, { 'retry-after': '60' }).end();
  });
  await assert.rejects(client.putBatch(place, Buffer.from('x')), { name: 'AbortError' });
});

test('trainerClient() has as many batches under way as there are credits, and never more', async (context) => {
  const held: ServerResponse[] = [];
  let most = 0;
  const { client } = await open(context, (_, response, count) => {
    held.push(response);
    most = Math.max(most, held.length);
    // The first answer gives three credits; then three at a time are answered together, each giving three again.
    if (count === 1 || held.length === 3 || count === 10) for (const each of held.splice(0)) each.end(accepted(3));
  });
  const puts = Array.from({ length: 10 }, (_, sequence) => client.putBatch({ ...place, sequence }, Buffer.from('x')));
  assert.deepEqual(new Set(await Promise.all(puts)), new Set(['accepted']));
  assert.equal(most, 3);
});

test('trainerClient() lets go of a body that is answered before it was sent', async (context) => {
  const body = Buffer.alloc(8 * 1024 * 1024, 1);
  const server = createServer((request, response) => {
    response.writeHead(409).end('{"detail":"no"}');
    request.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = trainerClient({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    authorization: async () => 'Bearer token',
    signal: new AbortController().signal,
  });
  await assert.rejects(client.putBatch(place, body), TrainerRefusedError);
});
