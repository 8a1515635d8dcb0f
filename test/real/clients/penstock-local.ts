import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

const launcher = resolve(import.meta.dirname, '../../../deploy/cli/launch.js');
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;

/** `penstock local --json`, as anybody starts it. */
export interface PenstockLocal {
  /** What clients of any language read to find its servers. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends it as Ctrl-C would. @throws {Error} when it does not end by itself with 0 */
  close(): Promise<void>;
}

/** Starts it and waits until it is ready. @throws {Error} when it ends instead, or takes over a minute */
export async function openPenstockLocal(): Promise<PenstockLocal> {
  const child = spawn(process.execPath, [launcher, 'local', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const [line] = await once(lines, 'line', { signal: AbortSignal.timeout(START_TIMEOUT_MS) }).catch(
    (cause: unknown) => {
      child.kill('SIGKILL');
      throw new Error('penstock local printed nothing', { cause });
    },
  );
  return { env: environmentIn(JSON.parse(String(line))), close: () => stop(child) };
}

function environmentIn(ready: unknown): Record<string, string> {
  if (typeof ready !== 'object' || ready === null || !('env' in ready) || typeof ready.env !== 'object')
    throw new Error(`penstock local printed no env: ${JSON.stringify(ready)}`);
  return Object.fromEntries(Object.entries(ready.env ?? {}).map(([name, value]) => [name, String(value)]));
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  const [code, signal] = await ended;
  clearTimeout(timer);
  if (code !== 0) throw new Error(`penstock local ended with ${code ?? signal}`);
}
