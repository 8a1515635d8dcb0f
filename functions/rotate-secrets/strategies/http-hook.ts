import { createHmac } from 'node:crypto';
import type { Clock } from '../../../shared/base/clock.ts';
import { ownProgram, ProgramUnavailableError } from './own-program.ts';
import { type Strategy, StrategyRefusedError } from './strategy.ts';

const TIMEOUT_MS = 20_000;
const PROGRAM = 'hook';

/**
 * A user's own program: each step is posted to it as JSON, signed.
 *
 * 2xx is done, 409 and 422 refuse for good, all else is tried again. `Penstock-Signature: t=SECONDS,v1=HEX` is the HMAC-SHA-256
 * of `SECONDS.BODY` under the key; a hook refuses what is older than minutes.
 *
 * @param options.key reads the signing key
 */
export function httpHook(options: {
  readonly secret: string;
  readonly url: string;
  readonly key: () => Promise<Buffer>;
  readonly clock: Clock;
}): Strategy {
  return ownProgram({
    secret: options.secret,
    program: PROGRAM,
    async ask(question) {
      const { step } = question;
      const answer = await post(step, JSON.stringify(question), options);
      if (answer.ok) return await answer.json().catch(() => undefined);
      await answer.body?.cancel();
      if (answer.status === 409 || answer.status === 422) {
        const what = `The rotation hook refused step ${step} with ${answer.status}`;
        throw new StrategyRefusedError(what, 'Look at its log');
      }
      throw new ProgramUnavailableError(PROGRAM, step, `it answered ${answer.status}`);
    },
  });
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
    throw new ProgramUnavailableError(PROGRAM, step, 'it cannot be reached', error);
  }
}
