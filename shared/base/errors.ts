/** What every error of ours carries beside its message. */
export interface ErrorDetails {
  /** Stable and upper-case: for tests, alerts and callers; the message may change, this may not. */
  readonly code: string;
  /** What the reader can do about it, as one sentence. */
  readonly remedy: string;
  /** True when the same call may succeed later without a change. */
  readonly retryable: boolean;
  readonly cause?: unknown;
}

/** The base of Penstock's errors: what was attempted, with which values, and what to do next. */
export class PenstockError extends Error {
  readonly code: string;
  readonly remedy: string;
  readonly retryable: boolean;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = new.target.name;
    this.code = details.code;
    this.remedy = details.remedy;
    this.retryable = details.retryable;
  }
}

/** One bad setting: where it stands, what it holds, and how to mend it. */
export interface ConfigProblem {
  /** Dotted path of the setting, or the environment variable's name. */
  readonly path: string;
  readonly message: string;
  readonly remedy: string;
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /** From 1. */
  readonly column?: number;
}

/** Every bad setting at once. */
export class ConfigError extends PenstockError {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(describe).join('\n'), {
      code: 'CONFIG',
      remedy: 'Correct each setting named above and start again',
      retryable: false,
    });
    this.problems = problems;
  }
}

function describe({ file, line, column, path, message, remedy }: ConfigProblem): string {
  const place = file === undefined ? '' : `${file}${line === undefined ? '' : `:${line}:${column ?? 1}`} `;
  return `${place}${path}: ${message}. ${remedy}.`;
}

/** The message of anything that was thrown, with its causes, on one line. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : ` (${messageOf(error.cause)})`;
  return `${error.message}${cause}`;
}
