import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';

/** One address before several instances of a function, as Cloud Run gives it. */
export interface FrontDoor {
  readonly url: string;
  /** Every answer given so far; 502 stands for an instance that did not give one. */
  readonly answers: readonly { readonly status: number; readonly sentAtMs: number }[];
  close(): Promise<void>;
}

/**
 * Opens a door that gives each request to the next instance, and answers 502 when that one is gone.
 *
 * @param instances the ports of those that run now
 * @param pauseMs how long each request is held back
 */
export async function openFrontDoor(
  instances: () => readonly string[],
  pauseMs: () => number = () => 0,
): Promise<FrontDoor> {
  let turn = 0;
  const answers: { status: number; sentAtMs: number }[] = [];
  const server = createServer((incoming, outgoing) => {
    const urls = instances();
    const sentAtMs = performance.now();
    outgoing.on('finish', () => answers.push({ status: outgoing.statusCode, sentAtMs }));
    const url = urls[turn++ % Math.max(1, urls.length)];
    if (url === undefined) refuse(outgoing);
    else setTimeout(() => forward(incoming, outgoing, url), pauseMs());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error(`The door is at ${address}, not a port`);
  return {
    url: `http://127.0.0.1:${address.port}`,
    answers,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse, url: string): void {
  const inner = request(
    `${url}${incoming.url ?? '/'}`,
    // No connection is kept: a killed instance would be found out by a request that it had not seen.
    { method: incoming.method, headers: { ...incoming.headers, connection: 'close' }, agent: false },
    (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.on('error', () => outgoing.destroy());
      answer.pipe(outgoing);
    },
  );
  inner.on('error', () => refuse(outgoing));
  outgoing.on('close', () => inner.destroy());
  incoming.pipe(inner);
}

function refuse(outgoing: ServerResponse): void {
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  outgoing.statusCode = 502;
  outgoing.end();
}
