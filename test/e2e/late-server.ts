import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** An address at which nothing listens yet. */
export interface LateServer {
  readonly address: string;
  /** From now on connections are led to the target. */
  arrive(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Stands for a server that is down, and comes later at the same address.
 *
 * @param target `host:port` of the server that is meant
 */
export async function lateServer(target: string): Promise<LateServer> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const [host = '', port = ''] = target.split(':');
    const far = connect({ host, port: Number(port) });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  });
  const port = await freePort();
  return {
    address: `127.0.0.1:${port}`,
    async arrive() {
      await once(server.listen(port, '127.0.0.1'), 'listening');
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      if (server.listening) await closed(server);
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  await closed(probe);
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function closed(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}
