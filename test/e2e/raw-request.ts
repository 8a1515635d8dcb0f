import { connect } from 'node:net';

const DEADLINE_MS = 20_000;

/** What came back over a connection, as it came. */
export interface RawAnswer {
  /** 0 when nothing came. */
  readonly status: number;
  readonly text: string;
}

/**
 * Sends bytes as they are and collects what comes back until the other side closes, or has been asked to.
 *
 * @param options.half ends our side once everything is sent, as a sender does that goes before it is done
 * @param options.isEnough ends the connection when what has come so far is all that is waited for
 */
export function rawRequest(
  url: string,
  bytes: string,
  options: { readonly half?: boolean; readonly isEnough?: (text: string) => boolean } = {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    socket.setTimeout(DEADLINE_MS, () => socket.destroy(new Error(`Nothing within ${DEADLINE_MS} ms, after: ${text}`)));
    socket.on('connect', () => (options.half ? socket.end(bytes) : socket.write(bytes)));
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (options.isEnough?.(text)) socket.destroy();
    });
    socket.on('end', () => socket.destroy());
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    socket.on('close', () => resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), text }));
  });
}
