import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../../../shared/base/clock.ts';
import { PenstockError } from '../../../shared/base/errors.ts';
import { type Strategy, StrategyRefusedError } from './strategy.ts';

const TIMEOUT_MS = 20_000;
const MAX_VALUE_BYTES = 64 * 1024;
const VALUE_BYTES = 32;

/** The hook cannot be reached, or asks to be called again. */
export class HookUnavailableError extends PenstockError {
  constructor(step: string, what: string, cause?: unknown) {
    super(`The rotation hook did not take step ${step}: ${what}`, {
      code: 'HOOK_UNAVAILABLE',
      remedy: 'Nothing to do where it comes back by itself: the step is sent again at the next run',
      retryable: true,
      cause,
    });
  }
}

/**
 * A user's own program: each step is posted to it as JSON, signed.
 *
 * `{"secret", "step", "value", "other"}`, values in base64, `other` the one that goes on working. The answer to `create` may
 * carry `{"value"}`, else 32 random bytes in base64url are taken. 2xx is done, 409 and 422 refuse for good, all else is tried
 * again. `Penstock-Signature: t=SECONDS,v1=HEX` is the HMAC-SHA-256 of `SECONDS.BODY` under the key; a hook refuses what is
 * older than minutes.
 *
 * @param options.key reads the signing key
 */
export function httpHook(options: {
  readonly secret: string;
  readonly url: string;
  readonly key: () => Promise<Buffer>;
  readonly clock: Clock;
}): Strategy {
  const { secret } = options;
  const call = async (step: string, value: Buffer | undefined, other: Buffer | undefined): Promise<unknown> => {
    const base64 = (bytes: Buffer | undefined): string | null => bytes?.toString('base64') ?? null;
    const body = JSON.stringify({ secret, step, value: base64(value), other: base64(other) });
    const answer = await post(step, body, options);
    if (answer.status === 409 || answer.status === 422) {
      await answer.body?.cancel();
      throw new StrategyRefusedError(`The rotation hook refused step ${step} with ${answer.status}`, 'Look at its log');
    }
    if (!answer.ok) {
      await answer.body?.cancel();
      throw new HookUnavailableError(step, `it answered ${answer.status}`);
    }
    return await answer.json().catch(() => undefined);
  };
  return {
    async create(current) {
      const made = madeValue(await call('create', undefined, current));
      if (made && made.length > MAX_VALUE_BYTES) {
        const what = `The rotation hook made a value of ${made.length} bytes, more than ${MAX_VALUE_BYTES}`;
        throw new StrategyRefusedError(what, 'Let it make a smaller one');
      }
      return made ?? Buffer.from(randomBytes(VALUE_BYTES).toString('base64url'));
    },
    set: async (value, beside) => void (await call('set', value, beside)),
    test: async (value) => void (await call('test', value, undefined)),
    revoke: async (value, keep) => void (await call('revoke', value, keep)),
    async close() {},
  };
}

async function post(
  step: string,
  body: string,
  { url, key, clock }: Parameters<typeof httpHook>[0],
): Promise<Response> {
  const seconds = Math.floor(clock() / 1_000);
  const signing = await key();
  const signature = createHmac('sha256', signing).update(`${seconds}.${body}`).digest('hex');
  signing.fill(0);
  try {
    return await fetch(url, {
      method: 'POST',
      body,
      // Another address would learn the value.
      redirect: 'error',
      headers: { 'content-type': 'application/json', 'penstock-signature': `t=${seconds},v1=${signature}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    throw new HookUnavailableError(step, 'it cannot be reached', error);
  }
}

function madeValue(answer: unknown): Buffer | undefined {
  const value = typeof answer === 'object' && answer !== null && 'value' in answer ? answer.value : undefined;
  return typeof value === 'string' && value !== '' ? Buffer.from(value, 'base64') : undefined;
}
