import { randomBytes } from 'node:crypto';
import {
  Client,
  type ClientReadableStream,
  credentials as grpcCredentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import type { Environment } from '../../base/environment.ts';
import { ConfigError } from '../../base/errors.ts';
import { googleCredentials } from './google-credentials.ts';
import { encodeCreateSession } from './request-bytes.ts';
import { decodeSession } from './response-bytes.ts';

const SERVICE = '/google.spanner.v1.Spanner';
const ADDRESS = 'spanner.googleapis.com:443';
const MIB = 1024 * 1024;
/** The default of 64 KiB caps a stream at 64 KiB for each round trip; measured: 16 MiB gives 860k rows/s at 10 ms. */
const FLOW_CONTROL_WINDOW = 16 * MIB;
const MAX_MESSAGE_BYTES = 128 * MIB;
const SESSION_TIMEOUT_MS = 15_000;
/** A multiplexed session lives for 28 days; the official clients renew theirs after 7. */
const SESSION_RENEWAL_MS = 7 * 24 * 3_600_000;
const NAME = /^projects\/[^/]+\/instances\/[^/]+\/databases\/[^/]+$/;

/** How a call is made. */
export interface CallOptions {
  /** The session of the request: Spanner's front end finds its way by it. */
  readonly session: string;
  /** Milliseconds since 1970; absent, the caller cancels by itself. */
  readonly deadlineAt?: number;
  /** Goes to the region that writes, as everything in a read-write transaction should. */
  readonly toLeader?: boolean;
}

/** Our own connection to one database: requests and answers stay bytes. */
export interface SpannerChannel {
  readonly database: string;
  /**
   * The multiplexed session that all calls share; made at the first call, again after `forgetSession`, and behind the
   * caller's back when it is a week old.
   *
   * @param deadlineAt until when it is waited for, in milliseconds since 1970
   */
  session(deadlineAt?: number): Promise<string>;
  /** The session was not found any more. */
  forgetSession(name: string): void;
  /** Makes a call with one answer. Errors carry gRPC's `code`, `message` and `metadata`. */
  unary(method: 'BeginTransaction' | 'Commit' | 'Rollback', request: Uint8Array, options: CallOptions): Promise<Buffer>;
  /** Opens a stream of answers. */
  stream(
    method: 'StreamingRead' | 'ExecuteStreamingSql',
    request: Uint8Array,
    options: CallOptions,
  ): ClientReadableStream<Buffer>;
  /** Calls that are under way end; nothing keeps the process alive afterwards. */
  close(): void;
}

/**
 * Opens a channel; nothing is sent yet. Follows SPANNER_EMULATOR_HOST, without credentials then.
 *
 * @param database `projects/P/instances/I/databases/D`
 * @param now milliseconds since 1970
 * @throws {ConfigError} for a name of another form
 */
export function openSpannerChannel(database: string, env: Environment, now: () => number = Date.now): SpannerChannel {
  if (!NAME.test(database)) {
    const message = `is ${JSON.stringify(database)}, no name of a database`;
    throw new ConfigError([{ path: 'spanner.database', message, remedy: 'Write projects/P/instances/I/databases/D' }]);
  }
  const emulator = env.SPANNER_EMULATOR_HOST;
  const client = new Client(emulator || ADDRESS, emulator ? grpcCredentials.createInsecure() : googleCredentials(), {
    'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
    // gRPC would wait up to two minutes before it looks again for a server that was down.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    // Else two channels to the same address share one connection, and its window.
    'grpc.use_local_subchannel_pool': 1,
  });
  const headers = headersOf(database);
  const unary = (method: string, request: Uint8Array, metadata: Metadata, deadlineAt: number | undefined) =>
    new Promise<Buffer>((resolve, reject) => {
      const done = (error: ServiceError | null, answer?: Buffer): void =>
        error || !answer ? reject(error ?? new TypeError(`${method} had no answer`)) : resolve(answer);
      const options = deadlineAt === undefined ? {} : { deadline: deadlineAt };
      client.makeUnaryRequest(`${SERVICE}/${method}`, asBuffer, asIs, request, metadata, options, done);
    });
  const sessions = sharedSession(now, async () => {
    const request = encodeCreateSession(database);
    const metadata = headers(`database=${encodeURIComponent(database)}`, true);
    return decodeSession(await unary('CreateSession', request, metadata, Date.now() + SESSION_TIMEOUT_MS));
  });
  const metadataOf = ({ session, toLeader = false }: CallOptions): Metadata =>
    headers(`session=${encodeURIComponent(session)}`, toLeader);
  return {
    database,
    session: (deadlineAt) => (deadlineAt === undefined ? sessions.get() : untilDeadline(sessions.get(), deadlineAt)),
    forgetSession: sessions.forget,
    unary: (method, request, options) => unary(method, request, metadataOf(options), options.deadlineAt),
    stream: (method, request, options) =>
      client.makeServerStreamRequest(
        `${SERVICE}/${method}`,
        asBuffer,
        asIs,
        request,
        metadataOf(options),
        options.deadlineAt === undefined ? {} : { deadline: options.deadlineAt },
      ),
    close: () => client.close(),
  };
}

/** One session for all: made once however many ask, and renewed while the old one still serves. */
function sharedSession(now: () => number, create: () => Promise<string>) {
  let current: Promise<string> | undefined;
  let madeAt = 0;
  let isRenewing = false;
  const start = (): Promise<string> => {
    const created = create();
    madeAt = now();
    current = created;
    created.catch(() => {
      if (current === created) current = undefined;
    });
    return created;
  };
  const renew = async (): Promise<void> => {
    isRenewing = true;
    try {
      current = Promise.resolve(await create());
    } catch {
      // The old one still serves; the next call tries again.
      madeAt += SESSION_TIMEOUT_MS;
      return;
    } finally {
      isRenewing = false;
    }
    madeAt = now();
  };
  return {
    get(): Promise<string> {
      if (current && !isRenewing && now() - madeAt >= SESSION_RENEWAL_MS) void renew();
      return current ?? start();
    },
    forget(name: string): void {
      const known = current;
      known?.then(
        (session) => {
          if (session === name && current === known) current = undefined;
        },
        () => {},
      );
    },
  };
}

/**
 * What goes along with each call: the routing that Spanner's front end asks for, and an id by which its support finds the
 * call. Source: cloud.google.com/spanner/docs, x-goog-spanner-request-id: version.process.client.channel.request.attempt.
 */
function headersOf(database: string): (routing: string, toLeader: boolean) => Metadata {
  const processId = randomBytes(8).toString('hex');
  let count = 0;
  return (routing, toLeader) => {
    count += 1;
    const metadata = new Metadata();
    metadata.set('google-cloud-resource-prefix', database);
    metadata.set('x-goog-request-params', routing);
    metadata.set('x-goog-spanner-request-id', `1.${processId}.1.1.${count}.1`);
    if (toLeader) metadata.set('x-goog-spanner-route-to-leader', 'true');
    return metadata;
  };
}

/** A session may be waited for by several callers, each with a deadline of its own. */
async function untilDeadline<T>(work: Promise<T>, deadlineAt: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = Object.assign(new Error('Spanner has made no session in time'), { code: status.DEADLINE_EXCEEDED });
    timer = setTimeout(() => reject(error), Math.max(0, deadlineAt - Date.now()));
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}
