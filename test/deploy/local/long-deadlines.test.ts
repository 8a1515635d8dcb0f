import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';
import { serveGrpc, unary } from '../../../deploy/local/grpc.ts';

const PATH = '/test.Service/Answer';
const empty = { encode: () => ({ finish: () => new Uint8Array() }), decode: () => ({}) };
const HOUR_MS = 3_600_000;

/** What a call with this much time came to, from a server that answers after grpc-js' shortest timer. */
async function outcomeOf(hours: number): Promise<string> {
  const answer = unary(PATH, empty, empty, async () => {
    await delay(10);
    return {};
  });
  const server = await serveGrpc({ port: 0, methods: [answer] });
  const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
  try {
    return await new Promise((resolve) => {
      const bytes = (): Buffer => Buffer.alloc(0);
      client.makeUnaryRequest(
        PATH,
        bytes,
        () => 'answered',
        {},
        { deadline: Date.now() + hours * HOUR_MS },
        (error, value) => resolve(error?.details ?? value ?? 'nothing'),
      );
    });
  } finally {
    client.close();
    await server.close();
  }
}

test('serveGrpc() answers a call that may last longer than a timer can', async () => {
  for (const hours of [1, 595, 597, 1_000, 27_000]) assert.equal(await outcomeOf(hours), 'answered', `${hours} hours`);
});

test('serveGrpc() still ends a call whose time is over', async () => {
  assert.match(await outcomeOf(1 / HOUR_MS), /Deadline exceeded/i);
});
