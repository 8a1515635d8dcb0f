import { ForbiddenError, UnauthenticatedError, type VerifyToken } from '../../shared/adapters/identity/verify-token.ts';
import { RefusedError } from '../../shared/base/refused-error.ts';
import type { Asker } from '../../shared/model/access/asker.ts';
import { DeniedError } from '../../shared/model/access/denied-error.ts';
import type { Sessions } from './login/sessions.ts';

/** What decides whether a request comes in. */
export interface Visitor {
  readonly authorization: string | undefined;
  readonly cookies?: string | undefined;
  readonly host: string | undefined;
  /** The address at the other end of the connection. */
  readonly remoteAddress: string | undefined;
}

/** Lets a visitor in, and says who it is. */
export type Access = (visitor: Visitor) => Promise<Asker>;

/** Whoever sits at the laptop: the same as `penstock` is there, so that no second person is made of the first. */
const atLaptop: Asker = {
  name: 'laptop@penstock-local.iam.gserviceaccount.com',
  issuer: 'laptop',
  groups: [],
  kind: 'service',
};

const loopbackHosts = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;
const loopbackAddresses = /^(127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})$/i;

/** The page is open on this machine only, and this request is not from it, or was led here under another name. */
export class NotLocalError extends RefusedError {
  constructor(what: string) {
    super(`The page is open on this machine only, and ${what}`, {
      code: 'NOT_LOCAL',
      remedy:
        'Open it as http://127.0.0.1 on the machine that serves it, or unset PENSTOCK_DASHBOARD_ACCESS and send a token',
      reason: 'not from this machine',
    });
  }
}

/**
 * Lets in whoever is on this machine and names it so: another site's name that resolves to 127.0.0.1 is refused,
 * because the browser would give that site what it reads here.
 *
 * @throws {NotLocalError} from the returned function
 */
export function localAccess(): Access {
  return async ({ host, remoteAddress }) => {
    if (!loopbackAddresses.test(remoteAddress ?? '')) throw new NotLocalError('the request comes from another one');
    if (!loopbackHosts.test(host ?? '')) throw new NotLocalError('the request names another host');
    return atLaptop;
  };
}

/**
 * Lets in who carries a verified token.
 *
 * @throws {UnauthenticatedError | ForbiddenError} from the returned function
 */
export function tokenAccess(verify: (authorization: string | undefined) => Promise<Asker>): Access {
  return async ({ authorization }) => await verify(authorization);
}

/**
 * Lets in who has signed in, and who carries a verified token: programs do.
 *
 * @throws {UnauthenticatedError | ForbiddenError} from the returned function
 */
export function loginAccess(sessions: Pick<Sessions, 'find'>, verify: VerifyToken): Access {
  return async ({ authorization, cookies }) => {
    if (authorization !== undefined) return await verify(authorization);
    const session = sessions.find(cookies);
    if (!session) throw new UnauthenticatedError('nobody signed in', 'Nobody is signed in');
    return session.person;
  };
}

/** The status that a refusal answers with; 503 when it could not be decided. */
export function refusalStatus(error: unknown): 401 | 403 | 503 {
  if (error instanceof UnauthenticatedError) return 401;
  if (error instanceof ForbiddenError || error instanceof NotLocalError || error instanceof DeniedError) return 403;
  return 503;
}
