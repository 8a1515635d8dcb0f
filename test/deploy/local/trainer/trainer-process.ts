import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import type { TestIssuer } from './test-issuer.ts';
import { type TrainerClient, trainerClient } from './trainer-client.ts';

const entry = new URL('../../../../deploy/local/trainer/main.ts', import.meta.url).pathname;
const reader = 'reader@demo.test';

/** The trainer as its own process, ready for requests. */
export interface TrainerProcess {
  client: TrainerClient;
  /** What it wrote to stderr. */
  said: string[];
  /** @returns its exit code, null when the signal killed it */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Starts the trainer as its own process and waits until it says where it is. */
export async function startTrainerProcess(
  dir: string,
  issuer: TestIssuer,
  env: Record<string, string> = {},
): Promise<TrainerProcess> {
  const child = spawnTrainer({
    PENSTOCK_TRAINER_DIR: dir,
    PENSTOCK_OIDC_ISSUER: issuer.url,
    PENSTOCK_CALLERS: reader,
    ...env,
  });
  const said: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  const gone = once(child, 'close').then(() => Promise.reject(new Error(`The trainer ended: ${said.join('')}`)));
  const line: unknown[] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), gone]);
  gone.catch(() => {});
  const { url } = z.object({ ready: z.literal(true), url: z.url() }).parse(JSON.parse(String(line[0])));
  const token = await issuer.token({ aud: url, email: reader, email_verified: true });
  return { client: trainerClient(url, token), said, end: (signal) => endProcess(child, signal) };
}

const running = new Set<ChildProcess>();

/** Kills what a failed test has left: a process that lives on would keep the test runner waiting for ever. */
export function endTrainerProcesses(): void {
  for (const child of running) child.kill('SIGKILL');
}

export function spawnTrainer(env: Record<string, string>) {
  const child = spawn(process.execPath, [entry], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
  return child.exitCode;
}
