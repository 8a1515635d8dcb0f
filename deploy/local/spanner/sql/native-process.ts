import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const START_DEADLINE_MS = 15_000;
const OUTPUT_KEPT_CHARACTERS = 2000;

/**
 * Starts the program behind `$@` and ends it when our end of the pipe closes, even by kill -9: nothing else would.
 *
 * Its process id is the first line.
 */
const GUARD = `exec 3<&0
folder=$1
shift
"$@" </dev/null &
server=$!
echo "pid $server"
(cat <&3 >/dev/null; kill -9 "$server"; rm -f "$folder/socket:1"; rmdir "$folder") 2>/dev/null &
wait "$server"`;

/** ZetaSQL's server program, listening on a Unix socket. */
export interface NativeProcess {
  /** Where a gRPC client reaches it. */
  readonly address: string;
  readonly pid: number;
  readonly running: boolean;
  /** The last of what it wrote to stderr. */
  readonly lastWords: string;
  /** Kills it and waits until it is gone. */
  end(): Promise<void>;
}

/**
 * Starts ZetaSQL's server and waits until it listens; about 40 ms.
 *
 * @param folder for the socket alone; goes with the process
 */
export async function startNativeProcess(folder: string): Promise<NativeProcess> {
  // The server insists on a port; with a Unix socket it only becomes part of the file's name.
  const server = [binaryPath(), `unix:${folder}/socket`, '1'];
  const child = spawn('/bin/sh', ['-c', GUARD, 'sh', folder, ...server], { stdio: ['pipe', 'pipe', 'pipe'] });
  // A broken pipe only says that the process is gone, which its exit says too.
  child.stdin.on('error', () => {});
  const exited = once(child, 'exit').then(() => {
    child.stdin.destroy();
  });
  let lastWords = '';
  child.stderr.on('data', (text) => {
    lastWords = (lastWords + String(text)).slice(-OUTPUT_KEPT_CHARACTERS);
  });
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  const end = async (): Promise<void> => {
    child.stdin.destroy();
    if (running()) await exited;
  };
  try {
    const pid = await listening(child);
    return {
      address: `unix:${folder}/socket:1`,
      pid,
      end,
      get running() {
        return running();
      },
      get lastWords() {
        return lastWords.trim();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

function binaryPath(): string {
  const library = createRequire(import.meta.url).resolve('@fivetrandevelopers/zetasql');
  const architecture = process.arch.startsWith('arm') ? '_arm' : '';
  const system = process.platform === 'darwin' ? '' : '.so';
  return join(dirname(library), 'zetasql', `remote_server${architecture}${system}`);
}

/** Waits for the line that says that the server listens; gives the process id. */
async function listening(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<number> {
  return await new Promise<number>((resolve, reject) => {
    const fail = (problem: string, cause?: unknown): void => {
      clearTimeout(deadline);
      reject(new Error(`ZetaSQL's server ${problem}`, { cause }));
    };
    const deadline = setTimeout(() => fail(`did not listen within ${START_DEADLINE_MS} ms`), START_DEADLINE_MS);
    let output = '';
    child.once('error', (cause) => fail('cannot be started', cause));
    child.once('exit', (code, signal) => fail(`ended at start: ${code ?? signal}`));
    child.stdout.on('data', (text) => {
      output = (output + String(text)).slice(0, OUTPUT_KEPT_CHARACTERS);
      const pid = /^pid (\d+)$/m.exec(output)?.[1];
      if (!pid || !output.includes('listening')) return;
      clearTimeout(deadline);
      resolve(Number(pid));
    });
  });
}
