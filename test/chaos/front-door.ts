import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';

/** One address before several instances of a function, as Cloud Run gives it. */
export interface FrontDoor {
  readonly url: string;
  /** Every answer given so far; 502 stands for an instance that did not give one. */
  readonly answers: readonly { readonly status: number; readonly sentAtMs: number }[];
  /** Answers 502 to what an instance has under way: nobody waits for it any more. */
  cutOff(instance: string): void;
  close(): Promise<void>;
}

/**
 * Opens a door that gives each request to the instance with the fewest under way, and answers 502 when that one is gone.
 *
 * @param instances the ports of those that run now
 * @param pauseMs how long each request is held back
 */
export async function openFrontDoor(
  instances: () => readonly string[],
  pauseMs: () => number = () => 0,
): Promise<FrontDoor> {
  const underWay = new Map<string, Set<ServerResponse>>();
  const answers: { status: number; sentAtMs: number }[] = [];
  const server = createServer((incoming, outgoing) => {
    const url = leastBusy(instances(), underWay);
    const sentAtMs = performance.now();
    outgoing.on('finish', () => answers.push({ status: outgoing.statusCode, sentAtMs }));
    if (url === undefined) return refuse(outgoing);
    const others = underWay.get(url) ?? new Set();
    // To the end of the line.
    underWay.delete(url);
    underWay.set(url, others.add(outgoing));
    outgoing.on('close', () => others.delete(outgoing));
    setTimeout(() => {
      if (!outgoing.writableEnded) forward(incoming, outgoing, url);
    }, pauseMs());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error(`The door is at ${address}, not a port`);
  return {
    url: `http://127.0.0.1:${address.port}`,
    answers,
    cutOff(instance) {
      for (const outgoing of underWay.get(instance) ?? []) refuse(outgoing);
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Of those that are as free as each other the one that was given nothing for longest. */
function leastBusy(
  urls: readonly string[],
  underWay: ReadonlyMap<string, ReadonlySet<ServerResponse>>,
): string | undefined {
  const line = [...underWay.keys()];
  const busy = (url: string): number => underWay.get(url)?.size ?? 0;
  const [first] = urls.toSorted((one, other) => busy(one) - busy(other) || line.indexOf(one) - line.indexOf(other));
  return first;
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
  if (outgoing.writableEnded) return;
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  outgoing.statusCode = 502;
  outgoing.end();
}
