import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { installGracefulShutdown } from '../../../../shared/adapters/http/graceful.ts';

class FakeProcess extends EventEmitter {
  readonly exited = Promise.withResolvers<number>();
  exit(code: number): void {
    this.exited.resolve(code);
  }
}

async function serve(source: FakeProcess, onClose: () => Promise<void>, graceMs?: number) {
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const graceful = installGracefulShutdown(onClose, { source, ...(graceMs === undefined ? {} : { graceMs }) });
  const handle = graceful.wrap(async (_request, response) => {
    begun.resolve();
    await release.promise;
    response.end('whole');
  });
  const server = createServer((request, response) => void handle(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    graceful,
    begun,
    release,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

test('installGracefulShutdown() answers the request in flight, closes, and exits with 0', async (context) => {
  const source = new FakeProcess();
  const steps: string[] = [];
  const served = await serve(source, async () => void steps.push('closed'));
  context.after(() => served.close());
  const answer = fetch(served.url).then((response) => response.text());
  await served.begun.promise;
  source.emit('SIGTERM');
  assert.equal(served.graceful.signal.aborted, true);
  const refused = await fetch(served.url);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '1');
  await refused.text();
  assert.deepEqual(steps, []);
  served.release.resolve();
  assert.equal(await answer, 'whole');
  assert.equal(await source.exited.promise, 0);
  assert.deepEqual(steps, ['closed']);
});

test('installGracefulShutdown() exits with 1 when a request outlasts the grace', async (context) => {
  const source = new FakeProcess();
  const served = await serve(source, async () => {}, 20);
  context.after(() => served.close());
  const answer = fetch(served.url).then((response) => response.text());
  await served.begun.promise;
  source.emit('SIGTERM');
  assert.equal(await source.exited.promise, 1);
  served.release.resolve();
  await answer;
});

test('installGracefulShutdown() removes listeners that would end the process before its requests', async () => {
  const source = new FakeProcess();
  installGracefulShutdown(async () => {}, { source });
  let killed = false;
  source.on('SIGTERM', () => {
    killed = true;
  });
  await Promise.resolve();
  source.emit('SIGTERM');
  assert.equal(await source.exited.promise, 0);
  assert.equal(killed, false);
});
