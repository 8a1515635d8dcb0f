import { type ChildProcess, spawn } from 'node:child_process';
import { ownProgram, ProgramUnavailableError } from './own-program.ts';
import { type Strategy, StrategyRefusedError } from './strategy.ts';

const PROGRAM = 'command';
/** A value of 64 KiB in base64, and the JSON around it. */
const MAX_OUTPUT_BYTES = 128 * 1024;
/** EX_DATAERR of sysexits.h: what was asked for cannot be done. */
const REFUSED = 65;
/** What programs need to start; the rotator's own environment names its keys. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR'];

/**
 * A user's own executable: each step is one run, with the question as JSON on its standard input and the answer on its output.
 *
 * Exit 0 is done, 65 refuses for good, all else is tried again. No shell reads its arguments, no argument or variable holds a value, and
 * its error output goes nowhere: what it wants to tell it writes to a log of its own.
 *
 * @param options.run the executable's absolute path, and its arguments
 * @param options.timeoutMs then it is killed, with all that it started
 */
export function command(options: {
  readonly secret: string;
  readonly run: readonly [string, ...string[]];
  readonly timeoutMs: number;
}): Strategy {
  return ownProgram({
    secret: options.secret,
    program: PROGRAM,
    async ask(question) {
      const { step } = question;
      const { code, output } = await runOnce(step, JSON.stringify(question), options);
      if (code === REFUSED) {
        const what = `The rotation command refused step ${step} with exit code ${code}`;
        throw new StrategyRefusedError(what, 'Look at its log');
      }
      if (code !== 0) throw new ProgramUnavailableError(PROGRAM, step, `it ended with ${code ?? 'a signal'}`);
      return parsed(output);
    },
  });
}

async function runOnce(
  step: string,
  question: string,
  { run, timeoutMs }: Parameters<typeof command>[0],
): Promise<{ readonly code: number | null; readonly output: Buffer }> {
  const [file, ...args] = run;
  const env = Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]]));
  // A group of its own, so that what it starts ends with it.
  const child = spawn(file, args, { shell: false, detached: true, env, stdio: ['pipe', 'pipe', 'ignore'] });
  const unavailable = (what: string, cause?: unknown): Error => new ProgramUnavailableError(PROGRAM, step, what, cause);
  const chunks: Buffer[] = [];
  let byteCount = 0;
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  const timer = setTimeout(() => reject(unavailable(`it did not end within ${timeoutMs} ms`)), timeoutMs);
  child.once('error', (error) => reject(unavailable('it cannot be started', error)));
  child.once('close', resolve);
  child.stdout.on('data', (chunk: Buffer) => {
    byteCount += chunk.length;
    if (byteCount > MAX_OUTPUT_BYTES) reject(unavailable(`it wrote more than ${MAX_OUTPUT_BYTES} bytes`));
    else chunks.push(chunk);
  });
  // One that reads nothing may do so: its exit code counts.
  child.stdin.on('error', () => {});
  child.stdin.end(question);
  try {
    return { code: await promise, output: Buffer.concat(chunks) };
  } finally {
    clearTimeout(timer);
    endGroup(child);
    for (const chunk of chunks) chunk.fill(0);
  }
}

function endGroup({ pid, stdout }: ChildProcess): void {
  stdout?.destroy();
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}

function parsed(output: Buffer): unknown {
  try {
    return JSON.parse(output.toString('utf8'));
  } catch {
    return undefined;
  } finally {
    output.fill(0);
  }
}
