import { subscribe } from 'node:diagnostics_channel';
import { IncomingMessage } from 'node:http';

/**
 * Takes requests before the functions framework does anything with them, for as long as the process lives.
 *
 * The framework would read and parse every body up to 1 GiB, unpacked, before our handler has seen a token, and would answer
 * what it cannot parse, or a path it cannot decode, with a page of its own. It offers no setting against it, but it passes
 * by bodies without a type: the type is hidden from it here, and `readJson` finds it among the headers as they were sent.
 *
 * Node tells of each request before its server does: nodejs.org/api/diagnostics_channel.html#http.
 */
export function ownRequests(): void {
  subscribe('http.server.request.start', (message) => {
    const request =
      typeof message === 'object' && message !== null && 'request' in message ? message.request : undefined;
    if (!(request instanceof IncomingMessage)) return;
    // Asked for first: Node makes both views from the same lines, when they are first looked at.
    void request.headersDistinct;
    delete request.headers['content-type'];
    request.url = decodableUrl(request.url ?? '/');
  });
}

/** The same address when it is a path that can be decoded, else a path that names nothing. */
function decodableUrl(url: string): string {
  const path = url.startsWith('/') ? url : `/${url}`;
  try {
    decodeURIComponent(path);
    return path;
  } catch {
    return path.replaceAll('%', '%25');
  }
}
