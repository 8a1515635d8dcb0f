import { BadRequestError } from '../../shared/adapters/http/problem.ts';
import { type KnownCaller, RefusedError } from '../../shared/base/refused-error.ts';
import type { Verdict } from '../../shared/connect/second-person.ts';

const MAX_FORM_BYTES = 16 * 1024;
const FORM_TYPE = /^application\/x-www-form-urlencoded(;|$)/i;

/** Another site's page may have sent this: a browser tells where a request comes from, and a person has not meant it. */
export class CrossSiteError extends RefusedError {
  constructor(what: string, caller: KnownCaller) {
    super(`The form was not sent from this page: ${what}`, {
      code: 'FORBIDDEN',
      remedy:
        'Open the page itself, in a browser that sends Sec-Fetch-Site, and decide there, or use npx penstock approvals',
      reason: 'form of another page',
      caller,
    });
  }
}

/**
 * Reads a decision from the page's form.
 *
 * The browser's own word for where a form comes from is asked for, not a token: instances share no secret, and no other site can
 * write `Sec-Fetch-Site`. A form without it comes from no browser that could be led here, or from one that is too old to tell.
 *
 * @param visitor in whose name it would be decided
 * @throws {CrossSiteError} for a form that another page has sent
 * @throws {BadRequestError} for what is no decision
 */
export async function readDecision(request: Request, id: string, visitor: KnownCaller): Promise<Verdict> {
  const site = request.headers.get('sec-fetch-site');
  if (site !== 'same-origin')
    throw new CrossSiteError(
      site === null ? 'no Sec-Fetch-Site' : `Sec-Fetch-Site is ${JSON.stringify(site.slice(0, 40))}`,
      visitor,
    );
  const frame = request.headers.get('sec-fetch-dest');
  if (frame !== null && frame !== 'document') {
    throw new CrossSiteError('it comes from a frame or a script', visitor);
  }
  if (!FORM_TYPE.test(request.headers.get('content-type') ?? '')) throw notAForm('The body is no form');
  const length = Number(request.headers.get('content-length') ?? Number.NaN);
  if (!(length <= MAX_FORM_BYTES)) throw notAForm(`The form has no length, or more than ${MAX_FORM_BYTES} bytes`);
  const form = new URLSearchParams(await request.text());
  const says = form.get('says');
  if (says !== 'approve' && says !== 'deny') throw notAForm('The form says neither `approve` nor `deny`');
  return { id, says, seen: form.get('seen') ?? '', reason: form.get('reason')?.trim() || undefined };
}

function notAForm(message: string): BadRequestError {
  return new BadRequestError(message, 'Use the form of the page');
}
