import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FirstRequest } from './coldstart-stage.ts';

const framework = resolve(
  import.meta.dirname,
  '../../../node_modules/@google-cloud/functions-framework/build/src/main.js',
);
/** As deployed: this process' own cache and its way without a metadata server are not the function's. */
const PLAIN = { NODE_ENV: 'production', NODE_COMPILE_CACHE: undefined, METADATA_SERVER_DETECTION: undefined };
const POLL_MS = 5;
const TIMEOUT_MS = 60_000;

/** One start of a function. */
export interface Start {
  readonly name: string;
  /** A bundle's folder, or a source file. */
  readonly source: string;
  readonly env: Readonly<Record<string, string>>;
  readonly request: FirstRequest;
  readonly authorization: string;
}

/**
 * Starts a function under functions-framework and sends its first request as soon as it listens.
 *
 * @returns milliseconds from the start of the process to the whole answer, and the answer
 * @throws {Error} with what it printed when the answer is no 2xx
 */
export async function timeStart({ name, source, env, request, authorization }: Start) {
  const port = await freePort();
  const startedAt = performance.now();
  const child = spawn(process.execPath, [framework, `--target=${name}`, `--source=${source}`], {
    env: { ...process.env, ...PLAIN, ...env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      printed = `${printed}${chunk}`.slice(-4_000);
    });
  }
  const ended = new Promise((settle) => child.on('exit', settle));
  try {
    const headers = { authorization, 'content-type': 'application/json' };
    const body = request.body === undefined ? null : JSON.stringify(request.body);
    const died = ended.then((code) => {
      throw new Error(`${name} from ${source} ended with ${code} before it answered:\n${printed}`);
    });
    const init = { method: request.method, headers, body };
    const response = await Promise.race([firstAnswer(`http://127.0.0.1:${port}/`, init), died]);
    died.catch(() => {});
    const text = await response.text();
    const milliseconds = performance.now() - startedAt;
    if (!response.ok) throw new Error(`${name} answered ${response.status}: ${text}\n${printed}`);
    return { milliseconds, text };
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

async function firstAnswer(url: string, init: RequestInit): Promise<Response> {
  const deadline = performance.now() + TIMEOUT_MS;
  for (;;) {
    try {
      return await fetch(url, init);
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(POLL_MS);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('The system gave no port');
  return address.port;
}
