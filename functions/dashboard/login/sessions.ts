import type { Clock } from '../../../shared/base/clock.ts';
import type { Asker } from '../../../shared/model/access/asker.ts';
import { type CookieSeal, isSame } from './sealed-cookie.ts';

/** A session is short: who lost a right, or a laptop, is out within the hour. */
const SESSION_MS = 3_600_000;
const SESSION = 'session';

/** The sessions of signed-in people. They live in their cookies alone: any instance can read them. */
export interface Sessions {
  /** The `Set-Cookie` header of somebody who has just signed in. */
  start(person: Asker): string;
  /** The `Set-Cookie` header that ends a session in its browser. */
  end(): string;
  /** Who a request's cookies say is signed in; undefined for nobody. */
  find(cookies: string | undefined): { readonly person: Asker; readonly formToken: string } | undefined;
  /** Whether a form was sent from a page of this session. */
  isOwnForm(cookies: string | undefined, formToken: string): boolean;
}

/** @param isSecure false on a laptop's plain HTTP alone: browsers would not send the cookie back otherwise */
export function openSessions(seal: CookieSeal, { isSecure, clock }: { isSecure: boolean; clock: Clock }): Sessions {
  const name = cookieName('penstock-session', isSecure);
  const find: Sessions['find'] = (cookies) => {
    const sealed = readCookie(cookies, name);
    const person = seal.open(SESSION, sealed, clock());
    return isAsker(person) && sealed !== undefined ? { person, formToken: seal.formToken(sealed) } : undefined;
  };
  return {
    start: ({ name: who, issuer, groups, kind, tokenId }) => {
      const sealed = seal.seal(SESSION, { name: who, issuer, groups, kind, tokenId }, clock() + SESSION_MS);
      return writeCookie(name, sealed, { isSecure, sameSite: 'Strict', maxAgeSeconds: SESSION_MS / 1000 });
    },
    end: () => writeCookie(name, '', { isSecure, sameSite: 'Strict', maxAgeSeconds: 0 }),
    find,
    isOwnForm: (cookies, formToken) => {
      const session = find(cookies);
      return session !== undefined && isSame(session.formToken, formToken);
    },
  };
}

/** With `__Host-` a browser takes the cookie from this host over HTTPS alone, and from no neighbour under the same domain. */
export function cookieName(name: string, isSecure: boolean): string {
  return isSecure ? `__Host-${name}` : name;
}

export function writeCookie(
  name: string,
  value: string,
  options: { readonly isSecure: boolean; readonly sameSite: 'Strict' | 'Lax'; readonly maxAgeSeconds: number },
): string {
  const { isSecure, sameSite, maxAgeSeconds } = options;
  const secure = isSecure ? '; Secure' : '';
  return `${name}=${value}; Path=/; HttpOnly; SameSite=${sameSite}; Max-Age=${maxAgeSeconds}${secure}`;
}

/** @returns undefined too where a request brings the same cookie twice: one of them is somebody else's */
export function readCookie(header: string | undefined, name: string): string | undefined {
  const found = (header ?? '').split(';').flatMap((part) => {
    const at = part.indexOf('=');
    return part.slice(0, at).trim() === name ? [part.slice(at + 1).trim()] : [];
  });
  return found.length === 1 ? found[0] : undefined;
}

/** We wrote and signed it: its name says that it has the shape we know. */
function isAsker(value: unknown): value is Asker {
  return typeof value === 'object' && value !== null && 'name' in value && 'groups' in value;
}
