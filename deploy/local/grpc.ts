import { setImmediate } from 'node:timers/promises';
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  status,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { keepLongDeadlines } from './long-deadlines.ts';

const MIB = 1024 * 1024;
const MAX_TURN_MS = 5;

/** A protobuf message type as protobufjs' static code has it. */
export interface MessageType<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** What a handler may know of its call. */
export interface CallContext {
  /** Request headers, lower-case names. */
  readonly metadata: Metadata;
  /** Aborted when the client cancels or goes away. */
  readonly signal: AbortSignal;
  /** Size of the request on the wire. */
  readonly requestBytes: number;
}

/** One method of a gRPC service, ready to be served. */
export interface Method {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly serialize: (message: unknown) => Buffer;
  readonly deserialize: (bytes: Buffer) => unknown;
  readonly handle: UntypedHandleCall;
}

/** An error that travels as a gRPC status; `retryDelayMs` becomes the RetryInfo trailer that ABORTED needs. */
export class RpcError extends Error {
  readonly code: status;
  readonly retryDelayMs: number | undefined;

  constructor(code: status, message: string, options: { retryDelayMs?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'RpcError';
    this.code = code;
    this.retryDelayMs = options.retryDelayMs;
  }
}

/** A request as it came: decoded where the handler's errors are caught, so that a bad one gets a status of its own. */
interface Undecoded<T> {
  decode(): T;
  readonly bytes: number;
}

/** A method with one request and one answer. */
export function unary<Q, R>(
  path: string,
  request: MessageType<Q>,
  response: MessageType<R>,
  handle: (request: Q, context: CallContext) => Promise<R> | R,
): Method {
  const handler: handleUnaryCall<Undecoded<Q>, R> = (call, callback) => {
    const context = { metadata: call.metadata, signal: cancelSignal(call), requestBytes: call.request.bytes };
    Promise.resolve()
      .then(() => handle(call.request.decode(), context))
      .then(
        (answer) => callback(null, answer),
        (error) => callback(asServiceError(error)),
      );
  };
  return method(path, request, response, { requestStream: false, responseStream: false, handle: handler });
}

/** A method with one request and a stream of answers; the stream waits while the client is slow. */
export function serverStream<Q, R>(
  path: string,
  request: MessageType<Q>,
  response: MessageType<R>,
  handle: (request: Q, context: CallContext) => AsyncIterable<R> | Iterable<R>,
): Method {
  const handler: handleServerStreamingCall<Undecoded<Q>, R> = async (call) => {
    const context = { metadata: call.metadata, signal: cancelSignal(call), requestBytes: call.request.bytes };
    // gax retries for seconds when an error comes without headers: always send them first.
    call.sendMetadata(new Metadata());
    let yieldedAt = performance.now();
    try {
      for await (const answer of handle(call.request.decode(), context)) {
        if (context.signal.aborted) return;
        if (!call.write(answer)) await drained(call, context.signal);
        if (performance.now() - yieldedAt < MAX_TURN_MS) continue;
        // Answers that are made without waiting would keep every other call out until the stream ends.
        await setImmediate();
        yieldedAt = performance.now();
      }
      call.end();
    } catch (error) {
      call.emit('error', asServiceError(error));
    }
  };
  return method(path, request, response, { requestStream: false, responseStream: true, handle: handler });
}

/** A method with a stream both ways; `send` resolves when the client can take more. */
export function bidiStream<Q, R>(
  path: string,
  request: MessageType<Q>,
  response: MessageType<R>,
  handle: (requests: AsyncIterable<Q>, send: (answer: R) => Promise<void>, context: CallContext) => Promise<void>,
): Method {
  const handler: handleBidiStreamingCall<Undecoded<Q>, R> = async (call) => {
    const context = { metadata: call.metadata, signal: cancelSignal(call), requestBytes: 0 };
    call.sendMetadata(new Metadata());
    const send = async (answer: R): Promise<void> => {
      if (!call.write(answer)) await drained(call, context.signal);
    };
    try {
      await handle(messages(call), send, context);
      call.end();
    } catch (error) {
      if (!context.signal.aborted) call.emit('error', asServiceError(error));
    }
  };
  return method(path, request, response, { requestStream: true, responseStream: true, handle: handler });
}

/**
 * Serves methods without TLS on 127.0.0.1.
 *
 * @param options.port 0 for a free one
 * @returns the bound port and a close that cuts every call
 */
export async function serveGrpc(options: {
  port: number;
  methods: readonly Method[];
}): Promise<{ port: number; close(): Promise<void> }> {
  keepLongDeadlines();
  const server = new Server({
    'grpc.max_receive_message_length': 128 * MIB,
    'grpc.max_send_message_length': 128 * MIB,
    'grpc-node.flow_control_window': 16 * MIB,
  });
  for (const { path, requestStream, responseStream, serialize, deserialize, handle } of options.methods) {
    const [, service, name] = path.split('/');
    if (!service || !name) throw new Error(`Bad gRPC path ${path}: expected /package.Service/Method`);
    server.addService(
      {
        [name]: {
          path,
          requestStream,
          responseStream,
          requestSerialize: serialize,
          requestDeserialize: deserialize,
          responseSerialize: serialize,
          responseDeserialize: deserialize,
        },
      },
      { [name]: handle },
    );
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${options.port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    port,
    async close() {
      server.forceShutdown();
    },
  };
}

function method<Q, R>(
  path: string,
  request: MessageType<Q>,
  response: MessageType<R>,
  shape: { requestStream: boolean; responseStream: boolean; handle: UntypedHandleCall },
): Method {
  return {
    path,
    ...shape,
    serialize: (message) => asBuffer(response.encode(message as R).finish()),
    deserialize: (bytes): Undecoded<Q> => ({ decode: () => request.decode(bytes), bytes: bytes.length }),
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Made once: every call ends with this event, and an error of each one's own costs as much as a short call. */
const cancelled = new RpcError(status.CANCELLED, 'The client ended the call');

function cancelSignal(call: { on(event: 'cancelled', listener: () => void): unknown }): AbortSignal {
  const controller = new AbortController();
  call.on('cancelled', () => controller.abort(cancelled));
  return controller.signal;
}

async function drained(
  call: {
    once(event: 'drain', listener: () => void): unknown;
    removeListener(event: 'drain', listener: () => void): unknown;
  },
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      call.removeListener('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    call.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
  });
}

async function* messages<Q, R>(call: ServerDuplexStream<Undecoded<Q>, R>): AsyncGenerator<Q> {
  for await (const request of call as AsyncIterable<Undecoded<Q>>) yield request.decode();
}

function asServiceError(error: unknown): { code: status; details: string; metadata: Metadata } {
  const metadata = new Metadata();
  if (error instanceof RpcError) {
    if (error.retryDelayMs !== undefined) {
      metadata.set('google.rpc.retryinfo-bin', encodeRetryInfo(error.retryDelayMs));
    }
    return { code: error.code, details: error.message, metadata };
  }
  const details = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: status.INTERNAL, details, metadata };
}

/** `google.rpc.RetryInfo{retry_delay = 1: Duration{seconds = 1, nanos = 2}}`, by hand: two varints in one nested message. */
function encodeRetryInfo(delayMs: number): Buffer {
  const seconds = Math.floor(delayMs / 1000);
  const nanos = Math.round((delayMs % 1000) * 1e6);
  const duration = Buffer.from([0x08, ...varint(seconds), 0x10, ...varint(nanos)]);
  return Buffer.concat([Buffer.from([0x0a, duration.length]), duration]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}
