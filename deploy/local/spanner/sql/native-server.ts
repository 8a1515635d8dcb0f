import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { type NativeProcess, startNativeProcess } from './native-process.ts';

const SERVICE = '/zetasql.local_service.ZetaSqlLocalService';
/** The server's gRPC refuses larger messages, and has no setting for it. */
const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

/** ZetaSQL's native server: the process and a connection to it. */
export interface NativeServer {
  readonly pid: number;
  /** False once the process has ended, by itself or by `close()`. */
  readonly running: boolean;
  /**
   * One unary call in protobuf bytes.
   *
   * @throws {RpcError} with ZetaSQL's own status; RESOURCE_EXHAUSTED over 4 MiB; INTERNAL when the process dies under it
   */
  call(method: string, request: Uint8Array): Promise<Buffer>;
  close(): Promise<void>;
}

/** Starts the server and connects to it. */
export async function startNativeServer(): Promise<NativeServer> {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-zetasql-'));
  const native = await startNativeProcess(folder).catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  const client = new Client(native.address, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
    'grpc.max_receive_message_length': -1,
    'grpc.enable_retries': 0,
  });
  return {
    pid: native.pid,
    get running() {
      return native.running;
    },
    async call(method, request) {
      if (request.length > MAX_REQUEST_BYTES) throw tooLarge(request.length);
      const bytes = Buffer.from(request.buffer, request.byteOffset, request.byteLength);
      return await unaryCall(client, method, bytes).catch(async (error: unknown) => {
        throw error instanceof RpcError && error.code === status.UNAVAILABLE ? await buried(native, error) : error;
      });
    },
    async close() {
      client.close();
      await native.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Without its socket the process is of no use: once it is gone, the next query starts a fresh one. */
async function buried(native: NativeProcess, cause: RpcError): Promise<RpcError> {
  await native.end();
  const why = native.lastWords || cause.message;
  return new RpcError(
    status.INTERNAL,
    `The SQL evaluator's process ended under this query: ${why}. The next query starts a fresh one`,
    { cause },
  );
}

function tooLarge(bytes: number): RpcError {
  return new RpcError(
    status.RESOURCE_EXHAUSTED,
    `The rows that this query reads take ${bytes} bytes, the laptop's SQL evaluator takes ${MAX_REQUEST_BYTES} for ` +
      'this kind of query: filter or aggregate each large table in a query of its own, or name fewer columns',
  );
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
