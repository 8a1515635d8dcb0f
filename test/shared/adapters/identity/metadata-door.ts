import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { openIdentityServer } from '../../../../deploy/local/identity/server.ts';

/** The laptop's metadata server, behind a door that a test can shut. Google's libraries of this process find it. */
export interface MetadataDoor {
  /** `failing` refuses, `silent` never answers. */
  state: 'open' | 'failing' | 'silent';
  /** Paths that were asked for. */
  readonly asked: string[];
}

/** Opens an issuer and a metadata server for the account, for as long as the test runs. */
export async function openMetadataDoor(
  context: TestContext,
  { account, now = Date.now }: { readonly account: string; readonly now?: () => number },
): Promise<MetadataDoor> {
  const identity = await openIdentityServer({ now });
  const [hostname, port] = (await identity.openMetadataServer(account)).host.split(':');
  const door: MetadataDoor = { state: 'open', asked: [] };
  const pass = (incoming: IncomingMessage, answer: ServerResponse): void => {
    const { url = '', headers } = incoming;
    door.asked.push(url);
    if (door.state === 'silent') return;
    if (door.state === 'failing')
      return void answer.writeHead(403, { 'metadata-flavor': 'Google' }).end('The door is shut');
    request({ hostname, port, path: url, headers }, (inner) => {
      answer.writeHead(inner.statusCode ?? 500, inner.headers);
      inner.pipe(answer);
    }).end();
  };
  const server = createServer(pass).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: own } = server.address() as AddressInfo;
  // As on Cloud Run, where the libraries neither look for the server, nor for a project, nor give up on an answer.
  const env = { GCE_METADATA_HOST: `127.0.0.1:${own}`, K_SERVICE: 'reader', GOOGLE_CLOUD_PROJECT: 'p' };
  const before = Object.fromEntries(Object.keys(env).map((name) => [name, process.env[name]]));
  Object.assign(process.env, env);
  context.after(async () => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    server.closeAllConnections();
    server.close();
    await identity.close();
  });
  return door;
}
