import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const main = resolve(import.meta.dirname, '../../local/trainer/main.ts');

/** The laptop's trainer in its own process. */
export interface RunningTrainer {
  readonly pid: number;
  readonly url: string;
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<unknown>;
}

/**
 * Starts the trainer and waits until it is ready.
 *
 * @param options.dir keeps batches, positions and weights over restarts
 * @throws {Error} with what it printed when it ends instead
 */
export async function runTrainer(options: {
  readonly dir: string;
  readonly port?: number;
  readonly env: Readonly<Record<string, string>>;
  readonly callers: readonly string[];
}): Promise<RunningTrainer> {
  mkdirSync(join(options.dir), { recursive: true });
  const child = spawn(process.execPath, [main], {
    env: {
      ...process.env,
      ...options.env,
      PORT: String(options.port ?? 0),
      PENSTOCK_TRAINER_DIR: options.dir,
      PENSTOCK_CALLERS: options.callers.join(','),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<unknown>((settle) => child.on('exit', (code, signal) => settle(signal ?? code)));
  const printed: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => printed.push(line));
  const url = await readyUrl(child, printed);
  return {
    pid: child.pid ?? -1,
    url,
    ended,
    kill: (signal) => void child.kill(signal),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await ended;
    },
  };
}

async function readyUrl(child: ChildProcess, printed: readonly string[]): Promise<string> {
  if (!child.stdout) throw new Error('The trainer has no stdout');
  for await (const line of createInterface({ input: child.stdout })) {
    const message: unknown = JSON.parse(line);
    if (typeof message === 'object' && message !== null && 'url' in message && typeof message.url === 'string') {
      child.stdout.resume();
      return message.url;
    }
  }
  throw new Error(`The trainer ended before it was ready:\n${printed.join('\n')}`);
}
