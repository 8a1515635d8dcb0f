import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { spannerLanguage } from './language.ts';
import { type NativeServer, startNativeServer } from './native-server.ts';
import type { Message } from './protos.ts';

const MAX_RUNNING = 4;
const MAX_WAITING = 1000;

/** ZetaSQL as one process that is started again after a crash. */
export interface ZetaSql {
  /** Of the running process. */
  readonly pid: number | undefined;
  /**
   * Runs a piece of work on the live process, a few at a time.
   *
   * @throws {RpcError} RESOURCE_EXHAUSTED when 1000 queries wait already
   */
  use<T>(work: (session: ZetaSqlSession) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** One life of the process: what was registered in it ends with it. */
export interface ZetaSqlSession {
  readonly server: NativeServer;
  readonly language: Message;
}

export async function openZetaSql(): Promise<ZetaSql> {
  let session = startSession();
  let current: NativeServer | undefined = (await session).server;
  let closed = false;
  let running = 0;
  const waiting: (() => void)[] = [];

  async function live(): Promise<ZetaSqlSession> {
    const known = await session.catch(() => undefined);
    if (closed) throw new RpcError(status.UNAVAILABLE, 'The SQL evaluator is closed');
    if (known?.server.running) return known;
    const dead = session;
    await known?.server.close();
    // Whoever comes first replaces the dead session; the others wait for the same new one.
    if (session === dead) session = startSession();
    const started = await session;
    current = started.server;
    return started;
  }

  return {
    get pid() {
      return current?.running ? current.pid : undefined;
    },
    async use(work) {
      if (running >= MAX_RUNNING) {
        if (waiting.length >= MAX_WAITING) {
          throw new RpcError(status.RESOURCE_EXHAUSTED, `${MAX_WAITING} queries wait for the SQL evaluator already`);
        }
        await new Promise<void>((resolve) => waiting.push(resolve));
      } else running++;
      try {
        return await work(await live());
      } catch (error) {
        throw explainError(error);
      } finally {
        const next = waiting.shift();
        if (next) next();
        else running--;
      }
    },
    async close() {
      closed = true;
      const last = await session.catch(() => undefined);
      await last?.server.close();
    },
  };
}

async function startSession(): Promise<ZetaSqlSession> {
  const server = await startNativeServer();
  try {
    return { server, language: await spannerLanguage(server) };
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** ZetaSQL's names of the floating types are not Spanner's. */
function explainError(error: unknown): unknown {
  if (!(error instanceof RpcError)) return error;
  const message = error.message.replace(/\bDOUBLE\b/g, 'FLOAT64').replace(/\bFLOAT\b/g, 'FLOAT32');
  return message === error.message ? error : new RpcError(error.code, message, { cause: error });
}
