import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A server in a process of its own. */
export interface ServerProcess<T> {
  /** What it printed of itself. */
  readonly addresses: T;
  stop(): Promise<void>;
}

/** Where a replay listens. */
export interface ReplayAddresses {
  readonly spanner: string;
  readonly trainer: string;
}

/** Starts a built server that prints where it listens as one line of JSON. */
export async function startServer<T>(script: string, args: readonly string[]): Promise<ServerProcess<T>> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((settle) => child.on('exit', settle));
  for await (const line of createInterface({ input: child.stdout })) {
    const addresses: T = JSON.parse(line);
    return {
      addresses,
      async stop() {
        // Importing the Spanner client takes SIGTERM's default away; there is nothing to finish here.
        child.kill('SIGKILL');
        await ended;
      },
    };
  }
  throw new Error(`${script} ended with ${await ended} before it was ready`);
}
