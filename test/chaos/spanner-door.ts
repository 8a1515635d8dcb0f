import { type ClientHttp2Session, connect, createServer, type Http2Session, type ServerHttp2Stream } from 'node:http2';
import type { Random } from './random.ts';

const UNAVAILABLE = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '14' };

/** A way to Spanner on which answers get lost. */
export interface SpannerDoor {
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** How many commits were let through and their answers cut, connection and all. */
  readonly unknownCommits: number;
  /** Cuts this share of the commits' answers from now on. */
  setUnknownRate(rate: number): void;
  close(): Promise<void>;
}

/** Opens a door to the gRPC server at `upstream`, which may go away and come back. */
export async function openSpannerDoor(upstream: string, random: Random): Promise<SpannerDoor> {
  let session: ClientHttp2Session | undefined;
  let rate = 0;
  let unknownCommits = 0;
  const sessions = new Set<Http2Session>();
  const inner = (): ClientHttp2Session => {
    if (session && !session.closed && !session.destroyed) return session;
    session = connect(`http://${upstream}`);
    session.on('error', () => {});
    return session;
  };
  const server = createServer();
  server.on('session', (one) => {
    sessions.add(one);
    one.on('error', () => {});
    one.on('close', () => sessions.delete(one));
  });
  server.on('stream', (stream, headers) => {
    const isCut = String(headers[':path']).endsWith('/Commit') && random.next() < rate;
    const sent = Object.fromEntries(
      Object.entries(headers).filter(([name]) => !name.startsWith(':') && name !== 'connection'),
    );
    const call = inner().request({ ...sent, ':method': 'POST', ':path': String(headers[':path']) });
    const failed = (): void => refuse(stream);
    call.on('error', failed);
    stream.on('error', () => {});
    stream.on('close', () => call.close());
    stream.pipe(call);
    if (isCut) {
      call.resume();
      call.on('end', () => {
        unknownCommits += 1;
        stream.session?.destroy();
      });
      return;
    }
    let trailers: Record<string, string> = {};
    call.on('trailers', (found) => {
      trailers = plain(found);
    });
    call.on('response', (answer, flags) => {
      if (stream.destroyed || stream.closed) return;
      const isWhole = (flags & 1) === 1;
      const head = { ':status': 200, ...plain(answer) };
      stream.respond(head, isWhole ? { endStream: true } : { waitForTrailers: true });
      if (isWhole) return;
      stream.on('wantTrailers', () => stream.sendTrailers(trailers));
      call.pipe(stream);
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((settle) => server.once('listening', settle));
  const at = server.address();
  if (at === null || typeof at === 'string') throw new Error(`The door is at ${at}, not a port`);
  return {
    address: `127.0.0.1:${at.port}`,
    get unknownCommits() {
      return unknownCommits;
    },
    setUnknownRate(wanted) {
      rate = wanted;
    },
    async close() {
      session?.destroy();
      for (const one of sessions) one.destroy();
      await new Promise((settle) => server.close(settle));
    },
  };
}

function plain(headers: object): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !name.startsWith(':'))
      .map(([name, value]) => [name, String(value)]),
  );
}

/** What a client sees of a server that is gone. */
function refuse(stream: ServerHttp2Stream): void {
  if (stream.destroyed || stream.closed) return;
  if (stream.headersSent) stream.session?.destroy();
  else stream.respond(UNAVAILABLE, { endStream: true });
}
