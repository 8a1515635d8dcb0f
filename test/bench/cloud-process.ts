import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

const penstock = resolve(import.meta.dirname, '../../deploy/cli/penstock.ts');

/** The laptop's cloud in a process of its own: its work is nobody's CPU time. */
export interface CloudProcess {
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/**
 * Starts `penstock local`, in memory.
 *
 * @throws {Error} when it ends before it is ready
 */
export async function startCloud(): Promise<CloudProcess> {
  const child = spawn(process.execPath, [penstock, 'local', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((settle) => child.on('exit', settle));
  for await (const line of createInterface({ input: child.stdout })) {
    const { env }: { env: Readonly<Record<string, string>> } = JSON.parse(line);
    child.stdout.resume();
    return {
      env,
      async stop() {
        child.kill('SIGTERM');
        await ended;
      },
    };
  }
  throw new Error(`penstock local ended with ${await ended} before it was ready`);
}
