import { ConfigError, messageOf, PenstockError } from '../../shared/base/errors.ts';

/** Exit codes that scripts rely on. */
export const exitCode = { done: 0, failed: 1, badUsage: 2 } as const;

/** Where a command says what it found: results to stdout, progress to stderr. */
export interface Output {
  readonly json: boolean;
  /** One result: an object per line with --json, else the text. */
  result(value: unknown, text: string): void;
  /** A line of progress, to stderr. */
  progress(line: string): void;
}

/** The output of one command. */
export function openOutput(json: boolean): Output {
  return {
    json,
    result: (value, text) => void process.stdout.write(`${json ? stringify(value) : text}\n`),
    progress: (line) => void process.stderr.write(`${line}\n`),
  };
}

/** JSON in one line; INT64 as text, as Spanner's own JSON has it. */
export function stringify(value: unknown): string {
  return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner));
}

/** Says what went wrong and what to do, and returns the exit code. */
export function reportFailure(error: unknown): number {
  if (error instanceof ConfigError) {
    process.stderr.write(`${error.message}\n`);
    return exitCode.badUsage;
  }
  const remedy = error instanceof PenstockError ? `\n${error.remedy}.` : '';
  process.stderr.write(`penstock: ${messageOf(error)}${remedy}\n`);
  return exitCode.failed;
}
