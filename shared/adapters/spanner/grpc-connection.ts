import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { OnAttempt } from '../../base/audit.ts';
import { GrpcError } from './grpc-error.ts';
import { frameHead } from './grpc-frames.ts';
import { type GrpcCall, openCall } from './open-call.ts';

const MIB = 1024 * 1024;
/**
 * The default of 64 KiB caps a stream at 64 KiB for each round trip. What a window holds may lie in memory, though, so that it
 * is as wide as the round trip needs; measured: 16 MiB give 860k rows/s at 10 ms.
 */
const MIN_WINDOW_BYTES = 2 * MIB;
const MAX_WINDOW_BYTES = 16 * MIB;
const WINDOW_BYTES_PER_MS = 1.6 * MIB;
/** In MiB: what waits to be sent must not make Node refuse the next call. */
const MAX_SESSION_MEMORY = 1024;
const CONNECT_TIMEOUT_MS = 20_000;
/** A connection that was silent for so long is asked whether it still is one. */
const SILENCE_MS = 30_000;
const PING_TIMEOUT_MS = 10_000;
/** How long calls may go on after `close`. */
const MAX_CLOSING_MS = 5_000;

/** How a connection is made. */
export interface ConnectionOptions {
  readonly onAttempt?: OnAttempt | undefined;
  /** Of each stream, and of all together; by default the measured round trip decides, from 2 to 16 MiB. */
  readonly windowBytes?: number | undefined;
}

/** One HTTP/2 connection to a gRPC server, made when it is needed and again when it was lost. */
export interface GrpcConnection {
  /**
   * Starts a call. Its errors are `GrpcError`s.
   *
   * @param path `/package.Service/Method`
   * @param deadlineAt milliseconds since 1970; undefined, the caller cancels by itself
   */
  call(path: string, request: Buffer, headers: OutgoingHttpHeaders, deadlineAt: number | undefined): GrpcCall;
  /** Calls that are under way end, for five seconds at most. */
  close(): void;
}

/**
 * Opens a connection; nothing is sent yet. It speaks gRPC without compression, over TLS unless the address is `http:`.
 *
 * Not a general client: one server, requests of one message. Measured against `@grpc/grpc-js`: half the CPU of a commit.
 * Source: github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
 */
export function openGrpcConnection(url: string, options: ConnectionOptions = {}): GrpcConnection {
  let current: Link | undefined;
  let isClosed = false;
  const link = (): Link => {
    if (!current?.isUsable()) current = new Link(url, options);
    return current;
  };
  return {
    call(path, request, headers, deadlineAt) {
      if (isClosed) throw new GrpcError('CANCELLED', 'The connection was closed');
      const all = {
        ...headers,
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        'user-agent': 'penstock',
        ...(deadlineAt === undefined ? {} : { 'grpc-timeout': timeoutText(deadlineAt - Date.now()) }),
      };
      const stream = link().request(all);
      stream.cork();
      stream.write(frameHead(request.length));
      stream.end(request);
      stream.uncork();
      return openCall(stream, deadlineAt);
    },
    close() {
      isClosed = true;
      current?.close();
    },
  };
}

/** At most eight digits. */
function timeoutText(ms: number): string {
  const rest = Math.max(0, Math.ceil(ms));
  return rest < 100_000_000 ? `${rest}m` : `${Math.ceil(rest / 1000)}S`;
}

/** Asks for one round trip, and widens the window of all streams, those that are open too, to what it needs. */
function sizeWindow(session: ClientHttp2Session): void {
  session.ping((error, roundTripMs) => {
    const bytes = Math.min(MAX_WINDOW_BYTES, Math.round(roundTripMs * WINDOW_BYTES_PER_MS));
    if (error || session.destroyed || bytes <= MIN_WINDOW_BYTES) return;
    session.setLocalWindowSize(bytes);
    session.settings({ initialWindowSize: bytes });
  });
}

/** One connection, from its making to its loss. */
class Link {
  readonly #session: ClientHttp2Session;
  #heardAt = Date.now();
  #isPinging = false;
  #calls = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(url: string, { onAttempt = () => {}, windowBytes }: ConnectionOptions) {
    const session = connect(url, {
      settings: { initialWindowSize: windowBytes ?? MIN_WINDOW_BYTES, enablePush: false },
      maxSessionMemory: MAX_SESSION_MEMORY,
    });
    const late = setTimeout(
      () => session.destroy(new Error('The connection was not made in time')),
      CONNECT_TIMEOUT_MS,
    );
    session.on('connect', () => {
      clearTimeout(late);
      onAttempt({ resource: url });
      session.setLocalWindowSize(windowBytes ?? MIN_WINDOW_BYTES);
      if (windowBytes === undefined) sizeWindow(session);
      this.#heardAt = Date.now();
    });
    // What becomes of the calls is told to them; a session's own unheard error would end the process.
    session.on('error', (error) => {
      if (session.connecting) onAttempt({ resource: url, error });
    });
    session.on('close', () => {
      clearTimeout(late);
      clearInterval(this.#watch);
    });
    this.#session = session;
  }

  isUsable(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  request(headers: OutgoingHttpHeaders): ClientHttp2Stream {
    let stream: ClientHttp2Stream;
    try {
      stream = this.#session.request(headers);
    } catch (cause) {
      // It was told to go away, or has used up its stream ids: the next call makes a new connection.
      this.#session.close();
      throw new GrpcError('UNAVAILABLE', 'The connection takes no more calls', { cause });
    }
    this.#calls += 1;
    if (this.#calls === 1) this.#watch = setInterval(() => this.#pingIfSilent(), SILENCE_MS / 3).unref();
    this.#pingIfSilent();
    stream.on('response', () => this.#hear());
    stream.on('close', () => {
      this.#calls -= 1;
      if (this.#calls === 0) clearInterval(this.#watch);
    });
    return stream;
  }

  #hear(): void {
    this.#heardAt = Date.now();
  }

  /** A peer that went away without a word would keep calls waiting for their deadlines. */
  #pingIfSilent(): void {
    const session = this.#session;
    if (this.#isPinging || session.connecting || session.destroyed || Date.now() - this.#heardAt < SILENCE_MS) return;
    this.#isPinging = true;
    const lost = setTimeout(() => session.destroy(new Error('A ping was not answered')), PING_TIMEOUT_MS);
    const isSent = session.ping((error) => {
      clearTimeout(lost);
      this.#isPinging = false;
      if (!error) this.#hear();
    });
    if (isSent) return;
    clearTimeout(lost);
    this.#isPinging = false;
  }

  close(): void {
    if (!this.isUsable()) return;
    this.#session.close();
    setTimeout(() => this.#session.destroy(undefined, constants.NGHTTP2_CANCEL), MAX_CLOSING_MS).unref();
  }
}
