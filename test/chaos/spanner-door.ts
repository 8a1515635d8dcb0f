import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Random } from './random.ts';

const UNAVAILABLE = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '14' };

/** What can be seen of a commit from outside: Spanner has got it; its answer, a good one, is on its way back. */
export type CommitMoment = 'sent' | 'answered';

/** One address of the door, for one process at a time. */
export interface Entrance {
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** Tells every commit that comes this way. @returns ends it */
  watch(see: (moment: CommitMoment) => void): () => void;
  /** Ends what a process that is gone had begun, so that nothing of it is taken for its heir's. */
  hangUp(): void;
}

/** A way to Spanner on which answers get lost. */
export interface SpannerDoor {
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** How many commits were let through and their answers cut, connection and all. */
  readonly unknownCommits: number;
  /** Cuts this share of the commits' answers from now on. */
  setUnknownRate(rate: number): void;
  /** Opens one more way in. */
  openEntrance(): Promise<Entrance>;
  close(): Promise<void>;
}

/** Opens a door to the gRPC server at `upstream`, which may go away and come back. */
export async function openSpannerDoor(upstream: string, random: Random): Promise<SpannerDoor> {
  const door = new Door(upstream, random);
  const { address } = await door.openEntrance();
  return {
    address,
    get unknownCommits() {
      return door.unknownCommits;
    },
    setUnknownRate(wanted) {
      door.unknownRate = wanted;
    },
    openEntrance: () => door.openEntrance(),
    close: () => door.close(),
  };
}

class Door {
  unknownRate = 0;
  unknownCommits = 0;
  private readonly upstream: string;
  private readonly random: Random;
  private readonly closers: (() => Promise<unknown>)[] = [];
  private session: ClientHttp2Session | undefined;

  constructor(upstream: string, random: Random) {
    this.upstream = upstream;
    this.random = random;
  }

  async openEntrance(): Promise<Entrance> {
    const watchers = new Set<(moment: CommitMoment) => void>();
    const see = (moment: CommitMoment): void => {
      for (const watcher of [...watchers]) watcher(moment);
    };
    const sessions = new Set<Http2Session>();
    const server = createServer();
    server.on('session', (one) => {
      sessions.add(one);
      one.on('error', () => {});
      one.on('close', () => sessions.delete(one));
    });
    server.on('stream', (stream, headers) => this.pass(stream, headers, see));
    server.listen(0, '127.0.0.1');
    await new Promise((settle) => server.once('listening', settle));
    const hangUp = (): void => {
      for (const one of sessions) one.destroy();
    };
    this.closers.push(() => {
      hangUp();
      return new Promise((settle) => server.close(settle));
    });
    const at = server.address();
    if (at === null || typeof at === 'string') throw new Error(`The door is at ${at}, not a port`);
    return {
      address: `127.0.0.1:${at.port}`,
      watch(watcher) {
        watchers.add(watcher);
        return () => void watchers.delete(watcher);
      },
      hangUp,
    };
  }

  async close(): Promise<void> {
    this.session?.destroy();
    await Promise.all(this.closers.map((close) => close()));
  }

  private inner(): ClientHttp2Session {
    if (this.session && !this.session.closed && !this.session.destroyed) return this.session;
    this.session = connect(`http://${this.upstream}`);
    this.session.on('error', () => {});
    return this.session;
  }

  private pass(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, see: (moment: CommitMoment) => void): void {
    const path = String(headers[':path']);
    const isCommit = path.endsWith('/Commit');
    const sent = Object.fromEntries(
      Object.entries(headers).filter(([name]) => !name.startsWith(':') && name !== 'connection'),
    );
    const call = this.inner().request({ ...sent, ':method': 'POST', ':path': path });
    call.on('error', () => refuse(stream));
    stream.on('error', () => {});
    stream.on('close', () => call.close());
    stream.pipe(call);
    if (isCommit) call.on('finish', () => see('sent'));
    if (!isCommit || this.random.next() >= this.unknownRate) {
      relay(call, stream, () => {
        // The frame goes out first.
        if (isCommit) setImmediate(() => !stream.destroyed && see('answered'));
      });
      return;
    }
    call.resume();
    call.on('end', () => {
      this.unknownCommits += 1;
      stream.session?.destroy();
    });
  }
}

/** @param onGood called when a good answer has gone out whole */
function relay(call: ReturnType<ClientHttp2Session['request']>, stream: ServerHttp2Stream, onGood: () => void): void {
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
    stream.on('wantTrailers', () => {
      stream.sendTrailers(trailers);
      if (trailers['grpc-status'] === '0') onGood();
    });
    call.pipe(stream);
  });
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
