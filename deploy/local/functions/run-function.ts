import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const root = resolve(import.meta.dirname, '../../..');
const preload = join(import.meta.dirname, 'loopback.cjs');
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 15_000;
const MAX_KEPT_LINES = 200;

/** One deployed bundle in its own process, as Cloud Run would run it. */
export interface RunningFunction {
  readonly name: string;
  readonly pid: number;
  /** Empty for a worker, which listens to nothing. */
  readonly url: string;
  /** What tokens for it must name: its URL where the port was chosen, else a name that stays the same over restarts. */
  readonly audience: string;
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
 * Starts an HTTP function under functions-framework, on 127.0.0.1, and waits until it listens.
 *
 * @throws {Error} with its last lines when it ends or does not listen within 30 s
 */
export async function runFunction(options: FunctionOptions): Promise<RunningFunction> {
  const { name, port = 0 } = options;
  const framework = join(root, 'node_modules/@google-cloud/functions-framework/build/src/main.js');
  const audience = port > 0 ? `http://127.0.0.1:${port}` : `https://${name}.penstock.localhost`;
  const args = ['--require', preload, framework, `--target=${name}`, `--source=${bundleOf(options)}`];
  // In production the framework prints no banner, and no stack trace into an answer.
  const child = start(options, args, { NODE_ENV: 'production', PORT: String(port), PENSTOCK_AUDIENCE: audience });
  const first = await Promise.race([
    listening(child.process),
    child.ended,
    delay(START_TIMEOUT_MS, 'timeout', { ref: false }),
  ]);
  if (typeof first === 'object') {
    return {
      ...child.running,
      url: `http://127.0.0.1:${first.port}`,
      audience: options.env.PENSTOCK_AUDIENCE ?? audience,
    };
  }
  await child.running.stop();
  const why = first === 'timeout' ? `did not listen within ${START_TIMEOUT_MS} ms` : `ended with ${first}`;
  throw new Error(`${name} ${why}:\n${child.running.lastLines().join('\n')}`);
}

/** Starts the worker of a bundle: `worker.js` with these arguments. */
export function runWorker(options: FunctionOptions, args: readonly string[] = []): RunningFunction {
  const preloaded = ['--require', preload, join(bundleOf(options), 'worker.js'), ...args];
  return start(options, preloaded, {}).running;
}

function bundleOf({ dist, name }: FunctionOptions): string {
  const bundle = join(dist ?? join(root, 'dist'), name);
  if (!existsSync(bundle)) throw new Error(`${bundle} does not exist. Run \`npm run build\` first.`);
  return bundle;
}

interface Started {
  readonly process: ChildProcess;
  readonly ended: Promise<number | NodeJS.Signals>;
  readonly running: RunningFunction;
}

function start(options: FunctionOptions, args: readonly string[], env: Readonly<Record<string, string>>): Started {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NODE_OPTIONS: '', ...env, ...identityEnv(options), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on('line', (line) => {
      if (lines.push(line) > MAX_KEPT_LINES) lines.shift();
      options.onLine?.(line);
    });
  }
  const ended = new Promise<number | NodeJS.Signals>((settle) => {
    child.on('exit', (code, signal) => settle(signal ?? code ?? 1));
    child.on('error', () => settle(1));
  });
  const running = {
    name: options.name,
    pid: child.pid ?? -1,
    url: '',
    audience: '',
    ended,
    lastLines: () => lines,
    kill: (signal: NodeJS.Signals) => void child.kill(signal),
    stop: () => stop(child, ended),
  };
  return { process: child, ended, running };
}

/**
 * Has Google's libraries take a function's identity where Cloud Run gives it, from the metadata server, and not the person's at
 * the keyboard: they would look at files first. By K_SERVICE they know that the server is there.
 */
function identityEnv(options: FunctionOptions): NodeJS.ProcessEnv {
  if (!(options.env.GCE_METADATA_HOST ?? process.env.GCE_METADATA_HOST)) return {};
  return {
    K_SERVICE: options.name,
    CLOUDSDK_CONFIG: bundleOf(options),
    GOOGLE_APPLICATION_CREDENTIALS: undefined,
    google_application_credentials: undefined,
    METADATA_SERVER_DETECTION: undefined,
  };
}

/** Settles when the preloaded module tells the port. */
function listening(child: ChildProcess): Promise<{ readonly port: number }> {
  return new Promise((settle) => {
    child.on('message', (message) => {
      if (typeof message === 'object' && message !== null && 'port' in message) settle({ port: Number(message.port) });
    });
  });
}

async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}
