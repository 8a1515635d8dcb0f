import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What waits on its way; a sender that is faster is held back. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** A TCP proxy whose bytes arrive later, as over a longer way. */
export interface DelayProxy {
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Opens a proxy.
 *
 * @param target `host:port`
 * @param oneWayMs how long each byte is on its way, in either direction: half a round trip
 */
export async function openDelayProxy(target: string, oneWayMs: number): Promise<DelayProxy> {
  const [host = '', port = ''] = target.split(':');
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from.setNoDelay(true));
      delay(from, to, oneWayMs);
      from.on('close', () => sockets.delete(from));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function delay(from: Socket, to: Socket, ms: number): void {
  const waiting: { readonly at: number; readonly chunk: Buffer }[] = [];
  let waitingBytes = 0;
  let isWaiting = false;
  const deliver = (): void => {
    const now = performance.now();
    for (let next = waiting[0]; next && next.at <= now; next = waiting[0]) {
      waiting.shift();
      waitingBytes -= next.chunk.length;
      if (!to.destroyed) to.write(next.chunk);
    }
    if (waitingBytes < MAX_WAITING_BYTES) from.resume();
    const [next] = waiting;
    isWaiting = next !== undefined;
    if (next) setTimeout(deliver, Math.max(0, next.at - now));
  };
  from.on('data', (chunk: Buffer) => {
    waiting.push({ at: performance.now() + ms, chunk });
    waitingBytes += chunk.length;
    if (waitingBytes >= MAX_WAITING_BYTES) from.pause();
    if (!isWaiting) setTimeout(deliver, ms);
    isWaiting = true;
  });
  from.on('error', () => {});
  from.on('close', () => setTimeout(() => to.destroy(), ms));
}
