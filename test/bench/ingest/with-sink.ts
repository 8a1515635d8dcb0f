import { spawn } from 'node:child_process';

/** How to start a sink. */
export interface SinkCommand {
  /** What Node runs, with its arguments. */
  readonly command: readonly string[];
  /** Arguments of Node itself. */
  readonly nodeArgs?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A sink in a process of its own. */
export interface SinkProcess {
  readonly pid: number;
  lives(): boolean;
  /** Asks it to end, and waits until it has. */
  stop(): Promise<void>;
}

/**
 * Runs a sink while `work` measures it; it has ended when this resolves.
 *
 * @throws {Error} what `work` throws, with what the sink printed
 */
export async function withSink<R>(
  { command, nodeArgs = [], env }: SinkCommand,
  work: (sink: SinkProcess) => Promise<R>,
): Promise<R> {
  const child = spawn(process.execPath, [...nodeArgs, ...command], {
    env: { ...process.env, METADATA_SERVER_DETECTION: 'none', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let printed = '';
  child.stderr.on('data', (chunk: Buffer) => {
    printed = `${printed}${chunk}`.slice(-4_000);
  });
  const ended = new Promise((settle) => child.on('exit', settle));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  try {
    return await work({
      pid: child.pid ?? -1,
      lives: () => child.exitCode === null && child.signalCode === null,
      stop,
    });
  } catch (error) {
    throw new Error(`A sink could not be measured; it printed:\n${printed}`, { cause: error });
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}
