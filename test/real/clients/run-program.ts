import { spawn } from 'node:child_process';
import { once } from 'node:events';

const TIMEOUT_MS = 90_000;
const MAX_PRINTED = 100_000;

/**
 * Runs a client's program to its end.
 *
 * @returns the JSON of the last line that it printed
 * @throws {Error} with all that it printed when it fails or takes over 90 s
 */
export async function runProgram(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<unknown> {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      printed[name] = (printed[name] + text).slice(-MAX_PRINTED);
    });
  }
  const [code, signal] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} ended with ${code ?? signal}:\n${printed.stdout}${printed.stderr}`);
  return JSON.parse(printed.stdout.trimEnd().split('\n').at(-1) ?? '');
}
