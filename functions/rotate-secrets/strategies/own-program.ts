import { randomBytes } from 'node:crypto';
import { PenstockError } from '../../../shared/base/errors.ts';
import { type Strategy, StrategyRefusedError } from './strategy.ts';

/** Secret Manager's bound of a payload. */
const MAX_VALUE_BYTES = 64 * 1024;
const VALUE_BYTES = 32;

/** A user's program cannot be reached, or asks to be called again. */
export class ProgramUnavailableError extends PenstockError {
  constructor(program: string, step: string, what: string, cause?: unknown) {
    super(`The rotation ${program} did not take step ${step}: ${what}`, {
      code: 'HOOK_UNAVAILABLE',
      remedy: 'Nothing to do where it comes back by itself: the step is sent again at the next run',
      retryable: true,
      cause,
    });
  }
}

/** One step, as the program reads it; values in base64, `other` the one that goes on working. */
export interface ProgramQuestion {
  readonly secret: string;
  readonly step: 'create' | 'set' | 'test' | 'revoke';
  readonly value: string | null;
  readonly other: string | null;
}

/**
 * A strategy whose steps a user's own program takes. Its answer to `create` may carry `{"value"}` in base64, else 32 random bytes in
 * base64url are the value.
 *
 * @param options.program what it is called in errors: `hook`, `command`
 * @param options.ask gives its answer, parsed; throws {@link StrategyRefusedError} where it refuses for good
 */
export function ownProgram(options: {
  readonly secret: string;
  readonly program: string;
  readonly ask: (question: ProgramQuestion) => Promise<unknown>;
}): Strategy {
  const { secret, program } = options;
  const ask = (
    step: ProgramQuestion['step'],
    value: Buffer | undefined,
    other: Buffer | undefined,
  ): Promise<unknown> => {
    const base64 = (bytes: Buffer | undefined): string | null => bytes?.toString('base64') ?? null;
    return options.ask({ secret, step, value: base64(value), other: base64(other) });
  };
  return {
    async create(current) {
      const made = madeValue(await ask('create', undefined, current));
      if (made && made.length > MAX_VALUE_BYTES) {
        const what = `The rotation ${program} made a value of ${made.length} bytes, more than ${MAX_VALUE_BYTES}`;
        throw new StrategyRefusedError(what, 'Let it make a smaller one');
      }
      return made ?? Buffer.from(randomBytes(VALUE_BYTES).toString('base64url'));
    },
    set: async (value, beside) => void (await ask('set', value, beside)),
    test: async (value) => void (await ask('test', value, undefined)),
    revoke: async (value, keep) => void (await ask('revoke', value, keep)),
    async close() {},
  };
}

function madeValue(answer: unknown): Buffer | undefined {
  const value = typeof answer === 'object' && answer !== null && 'value' in answer ? answer.value : undefined;
  return typeof value === 'string' && value !== '' ? Buffer.from(value, 'base64') : undefined;
}
