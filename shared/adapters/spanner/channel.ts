import { randomBytes } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http2';
import type { Environment } from '../../base/environment.ts';
import { ConfigError } from '../../base/errors.ts';
import { googleCredentials } from './google-credentials.ts';
import { type ConnectionOptions, openGrpcConnection } from './grpc-connection.ts';
import { GrpcError } from './grpc-error.ts';
import type { GrpcCall } from './open-call.ts';
import { encodeCreateSession } from './request-bytes.ts';
import { decodeSession } from './response-bytes.ts';

const SERVICE = '/google.spanner.v1.Spanner';
const ADDRESS = 'https://spanner.googleapis.com';
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

type UnaryMethod = 'BeginTransaction' | 'Commit' | 'Rollback' | 'PartitionRead' | 'PartitionQuery';
type StreamMethod = 'StreamingRead' | 'ExecuteStreamingSql';

/** Our own connection to one database: requests and answers stay bytes, errors are `GrpcError`s. */
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
  /** Makes a call with one answer. */
  unary(method: UnaryMethod, request: Uint8Array, options: CallOptions): Promise<Buffer>;
  /** Hands over each message of a stream as it comes; what `onMessage` throws cancels the call. */
  collect(
    method: StreamMethod,
    request: Uint8Array,
    options: CallOptions,
    onMessage: (message: Buffer) => void,
  ): Promise<void>;
  /** Opens a stream whose server waits for its reader. */
  stream(method: StreamMethod, request: Uint8Array, options: CallOptions): MessageStream;
  /**
   * Makes a call of another service of the same server: changes of the schema.
   *
   * @param path `/package.Service/Method`
   * @param routing the request's own `x-goog-request-params`
   */
  administer(path: string, request: Uint8Array, routing: string, deadlineAt: number): Promise<Buffer>;
  /** Calls that are under way end; nothing keeps the process alive afterwards. */
  close(): void;
}

/** Messages of a stream, one by one: each is good until the next is asked for. */
export interface MessageStream extends AsyncIterable<Buffer> {
  /** Gives the call up: it ends with CANCELLED. */
  cancel(): void;
}

/**
 * Opens a channel; nothing is sent yet. Follows SPANNER_EMULATOR_HOST, without credentials then; PENSTOCK_DATABASE_ROLE names the
 * database role of its sessions.
 *
 * @param database `projects/P/instances/I/databases/D`
 * @param options.now milliseconds since 1970
 * @param options.onAttempt is told of each connection that is attempted
 * @param options.windowBytes of flow control; by default the round trip decides
 * @throws {ConfigError} for a name of another form
 */
export function openSpannerChannel(
  database: string,
  env: Environment,
  { now = Date.now, ...options }: ConnectionOptions & { readonly now?: () => number } = {},
): SpannerChannel {
  if (!NAME.test(database)) {
    const message = `is ${JSON.stringify(database)}, no name of a database`;
    throw new ConfigError([{ path: 'spanner.database', message, remedy: 'Write projects/P/instances/I/databases/D' }]);
  }
  const emulator = env.SPANNER_EMULATOR_HOST;
  const connection = openGrpcConnection(emulator ? `http://${emulator}` : ADDRESS, options);
  const credentials = emulator ? undefined : googleCredentials(`${ADDRESS}/`);
  const headers = headersOf(database);
  const start = async (method: string, request: Uint8Array, routing: string, options: Omit<CallOptions, 'session'>) => {
    const sent = headers(routing, options.toLeader ?? false);
    // The token may have to be fetched first; the laptop's calls leave at once.
    const all = credentials ? { ...sent, ...(await untilDeadline(credentials(), options.deadlineAt)) } : sent;
    const path = method.startsWith('/') ? method : `${SERVICE}/${method}`;
    return connection.call(path, asBuffer(request), all, options.deadlineAt);
  };
  const routed = (method: string, request: Uint8Array, options: CallOptions) =>
    start(method, request, `session=${encodeURIComponent(options.session)}`, options);
  const sessions = sharedSession(now, async () => {
    const options = { deadlineAt: Date.now() + SESSION_TIMEOUT_MS, toLeader: true };
    const routing = `database=${encodeURIComponent(database)}`;
    const call = await start(
      'CreateSession',
      encodeCreateSession(database, env.PENSTOCK_DATABASE_ROLE),
      routing,
      options,
    );
    return decodeSession(await onlyMessage(call));
  });
  return {
    database,
    session: (deadlineAt) => untilDeadline(sessions.get(), deadlineAt),
    forgetSession: sessions.forget,
    unary: async (method, request, options) => onlyMessage(await routed(method, request, options)),
    collect: async (method, request, options, onMessage) => (await routed(method, request, options)).collect(onMessage),
    stream: (method, request, options) => messageStream(routed(method, request, options)),
    administer: async (path, request, routing, deadlineAt) =>
      onlyMessage(await start(path, request, routing, { deadlineAt })),
    close: () => connection.close(),
  };
}

async function onlyMessage(call: GrpcCall): Promise<Buffer> {
  const messages: Buffer[] = [];
  await call.collect((message) => messages.push(message));
  const [only, second] = messages;
  if (!only || second) throw new GrpcError('INTERNAL', `A call that has one answer was given ${messages.length}`);
  return only;
}

function messageStream(starting: Promise<GrpcCall>): MessageStream {
  // Its reader hears of a failure.
  starting.catch(() => {});
  return {
    async *[Symbol.asyncIterator]() {
      yield* await starting;
    },
    cancel: () => void starting.then((call) => call.cancel()).catch(() => {}),
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
 * call: version.process.client.channel.request.attempt. Source: github.com/googleapis, x-goog-spanner-request-id.
 */
function headersOf(database: string): (routing: string, toLeader: boolean) => OutgoingHttpHeaders {
  const processId = randomBytes(8).toString('hex');
  let count = 0;
  return (routing, toLeader) => {
    count += 1;
    return {
      'google-cloud-resource-prefix': database,
      'x-goog-request-params': routing,
      'x-goog-spanner-request-id': `1.${processId}.1.1.${count}.1`,
      ...(toLeader ? { 'x-goog-spanner-route-to-leader': 'true' } : {}),
    };
  };
}

/** What is shared by several callers is waited for by each until its own deadline. */
async function untilDeadline<T>(work: Promise<T>, deadlineAt: number | undefined): Promise<T> {
  if (deadlineAt === undefined) return await work;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new GrpcError('DEADLINE_EXCEEDED', 'There was no session or no access token in time');
    timer = setTimeout(() => reject(error), Math.max(0, deadlineAt - Date.now()));
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
