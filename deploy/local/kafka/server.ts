import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { serveConnection } from './connection.ts';
import { openBroker } from './engine/broker.ts';

const MAX_CONNECTIONS = 2000;
const RETENTION_EVERY_MS = 30_000;
const INITIAL_REBALANCE_DELAY_MS = 50;

/** A broker that listens. */
export interface KafkaServer {
  /** `127.0.0.1:port`, to be given to clients as their bootstrap broker. */
  readonly address: string;
  /** Cuts all connections and releases files and timers; the state stays in `dir`. */
  close(): Promise<void>;
}

/**
 * Opens a Kafka broker of one node on 127.0.0.1.
 *
 * @param options.port 0 or absent: a free one
 * @param options.dir where topics, logs and offsets are kept; absent: in memory
 * @param options.now ms since the epoch, for sessions and retention
 * @param options.defaultPartitions partitions of a topic that does not say; 1
 * @param options.autoCreateTopics whether asking for a missing topic makes it; false
 * @param options.initialRebalanceDelayMs how long an empty group waits for more members; 50
 */
export async function openKafkaServer(
  options: {
    port?: number;
    dir?: string;
    now?: () => number;
    defaultPartitions?: number;
    autoCreateTopics?: boolean;
    initialRebalanceDelayMs?: number;
  } = {},
): Promise<KafkaServer> {
  const now = options.now ?? Date.now;
  const broker = openBroker({
    dir: options.dir,
    now,
    defaultPartitions: options.defaultPartitions ?? 1,
    autoCreateTopics: options.autoCreateTopics ?? false,
    initialRebalanceDelayMs: options.initialRebalanceDelayMs ?? INITIAL_REBALANCE_DELAY_MS,
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serveConnection(socket, broker);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(options.port ?? 0, broker.host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error(`The broker listens at ${address}, not a port`);
  broker.port = address.port;
  const retention = setInterval(() => broker.topics.retain(now()), RETENTION_EVERY_MS);
  return {
    address: `${broker.host}:${broker.port}`,
    async close() {
      clearInterval(retention);
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      broker.close();
    },
  };
}
