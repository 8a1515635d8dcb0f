import { serveGrpc } from '../grpc.ts';
import { SecretEngine } from './engine.ts';
import { secretManagerMethods } from './methods.ts';
import { openSecretStore } from './store.ts';

/**
 * Starts the laptop's Secret Manager on 127.0.0.1.
 *
 * The official client has no variable for it: give it `servicePath`, `port` and `sslCreds: credentials.createInsecure()`.
 *
 * @param options.port 0 or left out for a free one
 * @param options.dir where secrets are kept, in clear, readable by their owner only; in memory when left out
 * @param options.now the time in milliseconds since 1970
 */
export async function openSecretManagerServer(
  options: { port?: number; dir?: string; now?: () => number } = {},
): Promise<{ address: string; close(): Promise<void> }> {
  const engine = new SecretEngine(openSecretStore(options.dir), options.now ?? Date.now);
  const server = await serveGrpc({ port: options.port ?? 0, methods: secretManagerMethods(engine) });
  return { address: `127.0.0.1:${server.port}`, close: () => server.close() };
}
