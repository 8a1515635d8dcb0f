import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const root = resolve(import.meta.dirname, '../../..');
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 15_000;
const MAX_KEPT_LINES = 200;

/** One deployed bundle in its own process, as Cloud Run would run it. */
export interface RunningFunction {
  readonly name: string;
  readonly pid: number;
  /** Empty for a worker, which listens to nothing. */
  readonly url: string;
  /** Settles with the exit code, or the signal's name, when the process has ended. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** The last lines that it printed, for an error's message. */
  lastLines(): readonly string[];
  /** Sends SIGTERM and waits; SIGKILL after 15 s. */
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

/** How a bundle is started. */
export interface FunctionOptions {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  /** Where bundles lie; `dist` of the project unless given. */
  readonly dist?: string;
  /** 0 or left out for a free one. */
  readonly port?: number;
  /** Each line that it prints to stdout or stderr. */
  readonly onLine?: (line: string) => void;
}

/**
 * Starts an HTTP function under functions-framework and waits until it listens.
 *
 * @throws {Error} with its last lines when it ends or does not listen within 30 s
 */
export async function runFunction(options: FunctionOptions): Promise<RunningFunction> {
  const port = options.port || (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const framework = join(root, 'node_modules/@google-cloud/functions-framework/build/src/main.js');
  const running = start(options, url, [framework, `--target=${options.name}`, `--source=${bundleOf(options)}`], {
    PORT: String(port),
    PENSTOCK_AUDIENCE: url,
  });
  const listening = waitUntilListening(url);
  const first = await Promise.race([listening, running.ended]);
  if (first !== 'listening') {
    await running.stop();
    const why = first === 'timeout' ? `did not listen within ${START_TIMEOUT_MS} ms` : `ended with ${first}`;
    throw new Error(`${options.name} ${why}:\n${running.lastLines().join('\n')}`);
  }
  return running;
}

/** Starts the worker of a bundle: `worker.js` with these arguments. */
export function runWorker(options: FunctionOptions, args: readonly string[] = []): RunningFunction {
  return start(options, '', [join(bundleOf(options), 'worker.js'), ...args], {});
}

function bundleOf({ dist, name }: FunctionOptions): string {
  const bundle = join(dist ?? join(root, 'dist'), name);
  if (!existsSync(bundle)) throw new Error(`${bundle} does not exist. Run \`npm run build\` first.`);
  return bundle;
}

function start(
  options: FunctionOptions,
  url: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): RunningFunction {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NODE_OPTIONS: '', ...env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (lines.push(line) > MAX_KEPT_LINES) lines.shift();
      options.onLine?.(line);
    });
  }
  const ended = new Promise<number | NodeJS.Signals>((settle) => {
    child.on('exit', (code, signal) => settle(signal ?? code ?? 1));
    child.on('error', () => settle(1));
  });
  return {
    name: options.name,
    pid: child.pid ?? -1,
    url,
    ended,
    lastLines: () => lines,
    kill: (signal) => void child.kill(signal),
    stop: () => stop(child, ended),
  };
}

async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

async function waitUntilListening(url: string): Promise<'listening' | 'timeout'> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    try {
      // The framework answers this path itself, without calling the function.
      await fetch(`${url}/favicon.ico`, { signal: AbortSignal.timeout(1_000) });
      return 'listening';
    } catch {
      await delay(25);
    }
  }
  return 'timeout';
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
