import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { openGrpcConnection } from '../../../../shared/adapters/spanner/grpc-connection.ts';
import { openDelayProxy } from '../../../bench/feed/delay-proxy.ts';

const MIB = 1024 * 1024;

/** The windows that a server is told of, as they come. */
async function windowsSeen(context: TestContext, oneWayMs: number, wanted: number, windowBytes?: number) {
  const server = createServer();
  const windows: number[] = [];
  const { promise: isSeen, resolve } = Promise.withResolvers<void>();
  server.on('session', (session: ServerHttp2Session) => {
    session.on('error', () => {});
    session.on('remoteSettings', ({ initialWindowSize }) => {
      windows.push(initialWindowSize ?? 0);
      if (windows.length === wanted) resolve();
    });
  });
  server.on('stream', (stream) => stream.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy = await openDelayProxy(`127.0.0.1:${(server.address() as AddressInfo).port}`, oneWayMs);
  const connection = openGrpcConnection(`http://${proxy.address}`, { windowBytes });
  const call = connection.call('/s/M', Buffer.alloc(0), {}, undefined);
  context.after(async () => {
    call.cancel();
    connection.close();
    await proxy.close();
    server.close();
  });
  await isSeen;
  return windows;
}

test('openGrpcConnection() widens its window to what the round trip needs', { timeout: 10_000 }, async (context) => {
  assert.deepEqual(await windowsSeen(context, 10, 2), [2 * MIB, 16 * MIB]);
});

test('openGrpcConnection() keeps the window that it was given', { timeout: 10_000 }, async (context) => {
  assert.deepEqual(await windowsSeen(context, 10, 1, MIB), [MIB]);
});
