import { spawn } from 'node:child_process';
import type { Figures } from './bench-result.ts';

/**
 * Runs one side in a process of its own and takes the figures that it prints as its last line, in JSON.
 *
 * @param script an absolute path
 * @param args what the script reads from its command line
 * @throws {Error} with what it printed when it ends with another code than 0
 */
export async function runChild(
  script: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly nodeArgs?: readonly string[] } = {},
): Promise<Figures> {
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), script, ...args], {
    env: { ...process.env, METADATA_SERVER_DETECTION: 'none', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  const code = await new Promise((settle) => child.on('close', settle));
  const lines = Buffer.concat(out).toString().trim().split('\n');
  if (code !== 0) throw new Error(`${script} ended with ${code}:\n${Buffer.concat(errors)}${lines.join('\n')}`);
  return JSON.parse(lines.at(-1) ?? '');
}
