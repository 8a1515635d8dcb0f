import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client, credentials, status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';

const SERVICE = '/zetasql.local_service.ZetaSqlLocalService';
/** The server's gRPC refuses larger messages, and has no setting for it. */
export const MAX_REQUEST_BYTES = 4 * 1024 * 1024;
const START_DEADLINE_MS = 15_000;
const STDERR_KEPT_CHARACTERS = 2000;

/** ZetaSQL's native server as a child process on a Unix socket. */
export interface NativeServer {
  readonly pid: number;
  /** False once the process has ended, by itself or by `close()`. */
  readonly running: boolean;
  /**
   * One unary call in protobuf bytes.
   *
   * @throws {RpcError} with ZetaSQL's own status; INTERNAL when the process dies under the call
   */
  call(method: string, request: Uint8Array): Promise<Buffer>;
  close(): Promise<void>;
}

/** Starts the server and waits until it listens; about 40 ms. */
export async function startNativeServer(): Promise<NativeServer> {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-zetasql-'));
  const address = `unix:${join(folder, 'socket')}`;
  // The server insists on a port; with a Unix socket it only becomes part of the file's name.
  const child = spawn(binaryPath(), [address, '1'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const stderr = keepTail(child);
  try {
    await listening(child);
  } catch (error) {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const client = new Client(`${address}:1`, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
    'grpc.max_receive_message_length': -1,
    'grpc.enable_retries': 0,
  });
  const ended = once(child, 'exit');
  const server = {
    pid: child.pid ?? 0,
    get running() {
      return child.exitCode === null && child.signalCode === null;
    },
    async call(method: string, request: Uint8Array): Promise<Buffer> {
      if (request.length > MAX_REQUEST_BYTES) throw tooLarge(request.length);
      try {
        return await unaryCall(client, method, Buffer.from(request.buffer, request.byteOffset, request.byteLength));
      } catch (error) {
        throw await this.explain(error);
      }
    },
    async explain(error: unknown): Promise<unknown> {
      if (!(error instanceof RpcError) || error.code !== status.UNAVAILABLE) return error;
      // Without its socket the process is of no use; once it is gone, the next query starts a fresh one.
      child.kill('SIGKILL');
      await ended;
      const details = `The SQL evaluator's process ended under this query: ${stderr.text.trim() || error.message}`;
      return new RpcError(status.INTERNAL, `${details}. The next query starts a fresh one`);
    },
    async close(): Promise<void> {
      client.close();
      if (this.running) {
        child.kill('SIGKILL');
        await ended;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return server;
}

function tooLarge(bytes: number): RpcError {
  return new RpcError(
    status.RESOURCE_EXHAUSTED,
    `The rows that this query reads take ${bytes} bytes, the laptop's SQL evaluator takes ${MAX_REQUEST_BYTES} for ` +
      'this kind of query: filter or aggregate each large table in a query of its own, or name fewer columns',
  );
}

function binaryPath(): string {
  const library = createRequire(import.meta.url).resolve('@fivetrandevelopers/zetasql');
  const architecture = process.arch.startsWith('arm') ? '_arm' : '';
  const system = process.platform === 'darwin' ? '' : '.so';
  return join(dirname(library), 'zetasql', `remote_server${architecture}${system}`);
}

async function listening(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const deadline = setTimeout(
      () => reject(new Error(`ZetaSQL's server did not listen within ${START_DEADLINE_MS} ms`)),
      START_DEADLINE_MS,
    );
    const settle = (error?: Error): void => {
      clearTimeout(deadline);
      if (error) reject(error);
      else resolve();
    };
    child.once('error', (cause) => settle(new Error("ZetaSQL's server cannot be started", { cause })));
    child.once('exit', (code, signal) => settle(new Error(`ZetaSQL's server ended at start: ${code ?? signal}`)));
    child.stdout?.on('data', (text) => {
      if (String(text).includes('listening')) settle();
    });
  });
}

function keepTail(child: ChildProcess): { text: string } {
  const tail = { text: '' };
  child.stderr?.on('data', (text) => {
    tail.text = (tail.text + String(text)).slice(-STDERR_KEPT_CHARACTERS);
  });
  return tail;
}

function unaryCall(client: Client, method: string, request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `${SERVICE}/${method}`,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      request,
      (error, answer) => {
        if (error) reject(new RpcError(error.code, error.details, { cause: error }));
        else resolve(answer ?? Buffer.alloc(0));
      },
    );
  });
}
