import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A replay in a process of its own. */
export interface Replay {
  readonly spanner: string;
  readonly trainer: string;
  stop(): Promise<void>;
}

/** Starts a built `replay-server`. */
export async function startReplay(script: string, frames: string): Promise<Replay> {
  const child = spawn(process.execPath, [script, frames], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((settle) => child.on('exit', settle));
  for await (const line of createInterface({ input: child.stdout })) {
    const addresses: { spanner: string; trainer: string } = JSON.parse(line);
    return {
      ...addresses,
      async stop() {
        // Importing the Spanner client takes SIGTERM's default away; there is nothing to finish here.
        child.kill('SIGKILL');
        await ended;
      },
    };
  }
  throw new Error(`The replay ended with ${await ended} before it was ready`);
}
