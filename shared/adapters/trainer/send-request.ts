import { isIP, connect as openSocket, type Socket } from 'node:net';
import { connect as openSecureSocket } from 'node:tls';
import { type AfterAnswer, AnswerReader, type HttpAnswer } from './answer-reader.ts';

/** Answers are short; a longer one comes in several reads. */
const READ_BYTES = 4 * 1024;
const PROBE_IDLE_AFTER_MS = 30_000;
/** A connection that its server is about to close is not used again. */
const IDLE_MARGIN_MS = 1_000;

/** One request with its whole body. */
export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly timeoutMs: number;
}

/** Idle connections of each origin; the one used last is used next, so that those that are not needed end. */
const idle = new Map<string, Connection[]>();

/**
 * Sends a request over a connection that is kept, and takes the answer. Redirects are answers like others.
 *
 * Speaks HTTP/1.1 by itself: with Node's own client delivering a row took a fifth more CPU; `fetch` takes twice the CPU of that, and
 * copies the body. The body is not touched any more once the promise is settled: its memory may then be used again.
 *
 * @throws {Error} when there is no whole answer in time, or one of more than 64 KiB
 */
export function sendRequest({ method, url, headers, body, timeoutMs }: HttpRequest): Promise<HttpAnswer> {
  const head = headOf(method, url, { ...headers, 'content-length': String(body.length) });
  const kept = idle.get(url.origin) ?? [];
  let connection = kept.pop();
  while (connection && !connection.isUsable()) connection = kept.pop();
  return (connection ?? new Connection(url)).send(head, body, timeoutMs);
}

/** A request under way. */
interface Exchange {
  readonly reader: AnswerReader;
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: NodeJS.Timeout;
  isWritten: boolean;
  answer?: HttpAnswer;
  failure?: unknown;
}

/**
 * One connection: a request, its answer, the next request. It belongs to nobody but `sendRequest`'s `idle` between them, and
 * keeps no process alive then.
 */
class Connection {
  readonly #origin: string;
  readonly #socket: Socket;
  #exchange: Exchange | undefined;
  #usableUntil = Number.POSITIVE_INFINITY;

  constructor(url: URL) {
    this.#origin = url.origin;
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    // One buffer for all reads: Node would allocate 64 KiB for each.
    const onread = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (bytes: number, buffer: Uint8Array) => this.#take(Buffer.from(buffer.buffer, buffer.byteOffset, bytes)),
    };
    if (url.protocol === 'https:') {
      const name = isIP(host) === 0 ? { servername: host } : {};
      const options = { host, port: Number(url.port || 443), onread, ALPNProtocols: ['http/1.1'], ...name };
      this.#socket = openSecureSocket(options);
    } else {
      this.#socket = openSocket({ host, port: Number(url.port || 80), onread });
    }
    this.#socket.setNoDelay(true);
    this.#socket.setKeepAlive(true, PROBE_IDLE_AFTER_MS);
    this.#socket.on('error', (error) => {
      if (this.#exchange) this.#exchange.failure ??= error;
    });
    this.#socket.on('end', () => this.#end());
    // Not before the socket has let go of the body.
    this.#socket.on('close', () => {
      const kept = idle.get(this.#origin);
      if (kept?.includes(this)) kept.splice(kept.indexOf(this), 1);
      this.#settle();
    });
  }

  isUsable(): boolean {
    if (this.#socket.destroyed || !this.#socket.writable) return false;
    if (Date.now() < this.#usableUntil) return true;
    this.#socket.destroy();
    return false;
  }

  send(head: string, body: Buffer, timeoutMs: number): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const timer = setTimeout(() => this.#fail(new Error(`No answer within ${timeoutMs} ms`)), timeoutMs);
    const exchange: Exchange = { reader: new AnswerReader(), resolve, reject, timer, isWritten: false };
    this.#exchange = exchange;
    const socket = this.#socket;
    socket.ref();
    socket.cork();
    socket.write(head, 'latin1');
    socket.write(body, (error) => {
      if (error) return;
      exchange.isWritten = true;
      if (exchange.answer) this.#free(exchange);
    });
    socket.uncork();
    return promise;
  }

  /** @returns that reading goes on */
  #take(piece: Buffer): boolean {
    const exchange = this.#exchange;
    // Nothing was asked that this could answer.
    if (!exchange || exchange.answer) this.#socket.destroy();
    else {
      try {
        this.#answered(exchange, exchange.reader.push(piece));
      } catch (error) {
        this.#fail(error);
      }
    }
    return true;
  }

  #end(): void {
    if (this.#exchange && !this.#exchange.answer) this.#answered(this.#exchange, this.#exchange.reader.end());
    this.#socket.destroy();
  }

  #answered(exchange: Exchange, answer: HttpAnswer | undefined): void {
    if (!answer) return;
    exchange.answer = answer;
    if (exchange.isWritten) this.#free(exchange);
    // It was answered before it was sent: the rest must not go out of memory that is used again.
    else this.#socket.destroy();
  }

  #free(exchange: Exchange): void {
    const { isKept, idleSeconds }: AfterAnswer = exchange.reader.after;
    if (!isKept || this.#socket.destroyed) {
      this.#socket.destroy();
      return;
    }
    this.#usableUntil =
      Date.now() + (idleSeconds === undefined ? Number.POSITIVE_INFINITY : idleSeconds * 1000 - IDLE_MARGIN_MS);
    this.#socket.unref();
    this.#settle();
    const kept = idle.get(this.#origin);
    if (kept) kept.push(this);
    else idle.set(this.#origin, [this]);
  }

  #fail(error: unknown): void {
    if (this.#exchange) this.#exchange.failure ??= error;
    this.#socket.destroy();
  }

  #settle(): void {
    const exchange = this.#exchange;
    if (!exchange) return;
    this.#exchange = undefined;
    clearTimeout(exchange.timer);
    if (exchange.answer) exchange.resolve(exchange.answer);
    else exchange.reject(exchange.failure ?? new Error('The connection ended before the answer'));
  }
}

function headOf(method: string, url: URL, headers: Readonly<Record<string, string>>): string {
  let head = `${method} ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n`;
  for (const [name, value] of Object.entries(headers)) {
    // Of a token or a trace that came from elsewhere nothing may become a header of its own.
    if (/[^\t\x20-\x7e]/.test(value)) throw new Error(`The header ${name} holds what no header may`);
    head += `${name}: ${value}\r\n`;
  }
  return `${head}\r\n`;
}
