import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

const launch = resolve(import.meta.dirname, '../../deploy/cli/launch.js');

/** `penstock local` in a process of its own. */
export interface CloudProcess {
  readonly env: Readonly<Record<string, string>>;
  /** Ends it with a signal, and waits until it is gone; the exit code, or null for SIGKILL. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>;
}

/** Starts `penstock local --data DIR --json` and waits until it is ready. */
export async function startCloud(dir: string): Promise<CloudProcess> {
  const child = spawn(process.execPath, [launch, 'local', '--data', dir, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((settle) => child.on('exit', settle));
  const printed: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => printed.push(line));
  const { pid, env } = await readyLine(child, printed);
  return {
    env,
    async end(signal) {
      // The launcher may have started another Node: the line names the one that serves.
      process.kill(pid, signal);
      return await ended;
    },
  };
}

async function readyLine(child: ChildProcess, printed: readonly string[]) {
  if (!child.stdout) throw new Error('penstock local has no stdout');
  for await (const line of createInterface({ input: child.stdout })) {
    const ready: { ready: boolean; pid: number; env: Record<string, string> } = JSON.parse(line);
    child.stdout.resume();
    if (ready.ready) return ready;
  }
  throw new Error(`penstock local ended before it was ready:\n${printed.join('\n')}`);
}
