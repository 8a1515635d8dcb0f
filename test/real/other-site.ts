import { once } from 'node:events';
import { createServer } from 'node:http';
import { portOf } from './approvals-stage.ts';

const DEADLINE_MS = 30_000;

/** Somebody else's web site, by two names of the same server. */
export interface OtherSite {
  /** `http://127.0.0.1:port`: another origin than the page's, and for browsers the same site. */
  readonly sameSite: string;
  /** `http://localhost:port`: another site. */
  readonly crossSite: string;
  /** Puts up a page with this body, and gives its address. */
  show(origin: string, body: string): string;
  /** Paths that were asked for, but for its own pages; each once. */
  heard(): string[];
  /** Waits until all of these were asked for. */
  hears(paths: readonly string[]): Promise<void>;
  forget(): void;
  close(): Promise<void>;
}

export async function openOtherSite(): Promise<OtherSite> {
  const pages = new Map<string, string>();
  const heard = new Set<string>();
  const server = createServer((request, answer) => {
    const path = (request.url ?? '/').replace(/\?$/, '');
    const body = pages.get(path);
    if (body === undefined && path !== '/favicon.ico') heard.add(path);
    server.emit('heard');
    answer.setHeader('content-type', 'text/html');
    answer.end(`<!doctype html><title>Other</title>${body ?? ''}`);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const port = portOf(server.address());
  return {
    sameSite: `http://127.0.0.1:${port}`,
    crossSite: `http://localhost:${port}`,
    show(origin, body) {
      const path = `/page-${pages.size}`;
      pages.set(path, body);
      return `${origin}${path}`;
    },
    heard: () => [...heard],
    async hears(paths) {
      const signal = AbortSignal.timeout(DEADLINE_MS);
      while (!paths.every((path) => heard.has(path))) await once(server, 'heard', { signal });
    },
    forget: () => heard.clear(),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
