import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { openEpochStore } from './epoch-store.ts';
import { Problem } from './problem.ts';
import { refuseConnection } from './refuse-connection.ts';
import { type Answer, answer, type Desk } from './routes.ts';
import { openTraining, type TrainingOptions } from './training/open-training.ts';
import { type TokenRules, type VerifyCaller, verifyToken } from './verify-token.ts';

export interface TrainerOptions {
  /** 0 or left out: a free one. */
  port?: number;
  /** Where epochs, batches and checkpoints are kept; made when missing. */
  dir: string;
  /** Who may call; left out, everybody on this machine. The audience is the trainer's own URL unless given. */
  verify?: VerifyCaller | (Omit<TokenRules, 'audience'> & { audience?: string });
  training?: TrainingOptions;
  /** Batches on the disk over all epochs; beyond it readers are told to wait. */
  maxCacheBytes?: number;
  /** Milliseconds of a clock that never goes back; the process's own when left out. */
  now?: () => number;
}

export interface Trainer {
  url: string;
  /** Stops taking requests, saves the training's position, and releases the port. */
  close(): Promise<void>;
}

const DEFAULT_MAX_CACHE_BYTES = 8 * 1024 ** 3;
const MAX_BODY_BYTES_IN_MEMORY = 128 * 1024 ** 2;
const MAX_DRAIN_BYTES = 32 * 1024 ** 2;
const MAX_DRAIN_MS = 1_000;
const REQUEST_TIMEOUT_MS = 60_000;

/** Starts the laptop's trainer on 127.0.0.1; while it reads its folder back, and while it closes, it answers 503. */
export async function openTrainer(options: TrainerOptions): Promise<Trainer> {
  const maxCacheBytes = options.maxCacheBytes ?? DEFAULT_MAX_CACHE_BYTES;
  let desk: Desk | undefined;
  let verify: VerifyCaller = async () => ({ email: 'anybody' });
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    void respond(request, response, async () => {
      if (desk === undefined) throw notNow();
      await verify(authorizationOf(request));
      return answer(request, desk);
    });
  });
  server.on('clientError', refuseConnection);
  const url = await listen(server, options.port ?? 0);
  if (typeof options.verify === 'function') verify = asCheck(options.verify);
  else if (options.verify !== undefined) verify = verifyToken({ audience: url, ...options.verify });
  const store = await openEpochStore(options.dir, maxCacheBytes);
  const training = await openTraining(
    store.epochs.values(),
    options.training ?? {},
    options.now ?? performance.now.bind(performance),
  );
  desk = { store, training, budget: { bytes: MAX_BODY_BYTES_IN_MEMORY }, maxCacheBytes };
  return {
    url,
    async close() {
      desk = undefined;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      await training.close();
      await closed;
    },
  };
}

/** Whatever a check of one's own throws means "not you", unless it says more. */
function asCheck(check: VerifyCaller): VerifyCaller {
  return async (authorization) => {
    try {
      return await check(authorization);
    } catch (cause) {
      if (cause instanceof Problem) throw cause;
      throw new Problem(401, 'Not authenticated', cause instanceof Error ? cause.message : String(cause));
    }
  };
}

/** Of two headers Node would show the first alone, and whoever stands before us may have looked at the other. */
function authorizationOf({ headersDistinct }: IncomingMessage): string | undefined {
  const given = headersDistinct.authorization ?? [];
  if (given.length <= 1) return given[0];
  throw new Problem(401, 'Not authenticated', `Wanted is one Authorization header, given are ${given.length}`);
}

function notNow(): Problem {
  return new Problem(503, 'Not now', 'The trainer is starting or closing: ask again', {
    'retry-after': '1',
    connection: 'close',
  });
}

function listen(server: ReturnType<typeof createServer>, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error(`No TCP port: ${address}`));
      else resolve(`http://127.0.0.1:${address.port}`);
    });
  });
}

async function respond(request: IncomingMessage, response: ServerResponse, act: () => Promise<Answer>): Promise<void> {
  try {
    const { status, body } = await act();
    if (typeof body === 'string') send(response, status, 'text/plain; version=0.0.4; charset=utf-8', body);
    else send(response, status, 'application/json', JSON.stringify(body));
  } catch (cause) {
    const problem = asProblem(cause);
    const isWhole = await drain(request);
    const headers = isWhole ? problem.headers : { ...problem.headers, connection: 'close' };
    send(response, problem.status, 'application/problem+json', JSON.stringify(problem), headers);
  }
}

/**
 * Reads away what a refused client still sends, within bounds: one whose connection is cut while it sends never sees why.
 *
 * @returns false when the request did not end in time
 */
function drain(request: IncomingMessage): Promise<boolean> {
  if (request.complete || request.destroyed) return Promise.resolve(request.complete);
  return new Promise((resolve) => {
    let bytes = 0;
    const give = () => {
      clearTimeout(timer);
      resolve(request.complete);
    };
    const timer = setTimeout(give, MAX_DRAIN_MS);
    request.on('error', give).on('close', give).on('end', give);
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_DRAIN_BYTES) give();
    });
    request.resume();
  });
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
  headers: Record<string, string> = {},
) {
  if (response.destroyed) return;
  response.writeHead(status, { ...headers, 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function asProblem(cause: unknown): Problem {
  if (cause instanceof Problem) return cause;
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC') {
    return new Problem(503, 'Disk full', 'The disk has no room for the batch: free some', { 'retry-after': '10' });
  }
  console.error(JSON.stringify({ severity: 'ERROR', message: cause instanceof Error ? cause.stack : String(cause) }));
  return new Problem(500, 'Internal error', 'The trainer failed; its log says why');
}
