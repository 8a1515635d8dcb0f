import { type Context, Hono } from 'hono';
import { html } from 'hono/html';
import type { OidcClient, PendingLogin } from '../../../shared/adapters/identity/oidc-client.ts';
import { UnauthenticatedError, type VerifyToken } from '../../../shared/adapters/identity/verify-token.ts';
import type { Clock } from '../../../shared/base/clock.ts';
import { securityHeaders } from '../page/answer.ts';
import { type CookieSeal, isSame } from './sealed-cookie.ts';
import { cookieName, readCookie, type Sessions, writeCookie } from './sessions.ts';

const PENDING = 'login';
const PENDING_MS = 600_000;
const MAX_CODE_CHARACTERS = 4_096;
/** The only pages that a sign-in leads back to: an address that came with a link is never followed anywhere else. */
const RETURNS = /^\/approvals\/[\w-]{1,64}$/;

/** What signing in takes. */
export interface Login {
  readonly client: OidcClient;
  /** Verifies the ID token, and that this person may come in at all. */
  readonly verify: VerifyToken;
  readonly sessions: Sessions;
  readonly seal: CookieSeal;
  readonly clock: Clock;
  /** `https://host/base`, without a slash at its end. */
  readonly url: string;
}

/** `GET /login`, `GET /login/callback`, `POST /logout`. */
export function loginRoutes(login: Login, refuse: (c: Context, error: unknown) => Response | Promise<Response>): Hono {
  const app = new Hono();
  const guarded = (act: (c: Context) => Promise<Response>) => async (c: Context) => {
    try {
      return await act(c);
    } catch (error) {
      return await refuse(c, error);
    }
  };
  app.get(
    '/login',
    guarded((c) => begin(login, c)),
  );
  app.get(
    '/login/callback',
    guarded((c) => finish(login, c)),
  );
  app.post(
    '/logout',
    guarded((c) => logout(login, c)),
  );
  return app;
}

/**
 * Whether a request that changes something comes from our own page: what the browser says of its origin, and the form's token.
 *
 * Under `Referrer-Policy: no-referrer` browsers send `Origin: null` with our own forms; `Sec-Fetch-Site` tells them apart.
 */
export function isOwnPost(
  request: Request,
  formToken: string,
  { sessions, url }: Pick<Login, 'sessions' | 'url'>,
): boolean {
  const site = request.headers.get('sec-fetch-site');
  const isOwn = site === null ? request.headers.get('origin') === new URL(url).origin : site === 'same-origin';
  return isOwn && sessions.isOwnForm(request.headers.get('cookie') ?? undefined, formToken);
}

/** The query of `/login` that leads back to a request for a second person; empty for any other page. */
export function backTo(path: string): string {
  return RETURNS.test(path) ? `?to=${encodeURIComponent(path)}` : '';
}

async function begin({ client, seal, clock, url }: Login, c: Context): Promise<Response> {
  const { url: target, pending } = await client.begin();
  const isSecure = url.startsWith('https:');
  const to = c.req.query('to') ?? '';
  const sealed = seal.seal(PENDING, { ...pending, to: RETURNS.test(to) ? to : '/' }, clock() + PENDING_MS);
  // Lax: it must come back with a person whom the issuer's site sends here.
  const cookie = writeCookie(cookieName('penstock-login', isSecure), sealed, {
    isSecure,
    sameSite: 'Lax',
    maxAgeSeconds: PENDING_MS / 1000,
  });
  return redirect(target, [cookie]);
}

async function finish(login: Login, c: Context): Promise<Response> {
  const { client, verify, sessions, url } = login;
  const { code = '', state = '' } = c.req.query();
  const pending = pendingOf(login, c.req.header('cookie'));
  // Somebody else's sign-in, or one that was begun elsewhere: it must not become this browser's session.
  if (!pending || !isSame(pending.state, state)) {
    throw new UnauthenticatedError('sign-in not begun here', 'This sign-in was not begun here');
  }
  if (code === '' || code.length > MAX_CODE_CHARACTERS) {
    throw new UnauthenticatedError('sign-in not completed', 'The issuer signed nobody in');
  }
  const token = await client.redeem(code, pending);
  const person = await verify(`Bearer ${token}`);
  if (!isSame(nonceOf(token), pending.nonce)) {
    throw new UnauthenticatedError('sign-in not begun here', 'The ID token belongs to another sign-in', {
      caller: person,
    });
  }
  const isSecure = url.startsWith('https:');
  const spent = writeCookie(cookieName('penstock-login', isSecure), '', {
    isSecure,
    sameSite: 'Lax',
    maxAgeSeconds: 0,
  });
  return welcome(`${url}${pending.to}`, [started(sessions, person), spent]);
}

function started(sessions: Sessions, person: Parameters<Sessions['start']>[0]): string {
  try {
    return sessions.start(person);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const message = `The token names ${person.groups.length} groups, too many for a session`;
    throw new UnauthenticatedError('sign-in not completed', message, { caller: person, cause });
  }
}

async function logout({ sessions, url }: Login, c: Context): Promise<Response> {
  const form = await c.req.parseBody();
  const formToken = typeof form.token === 'string' ? form.token : '';
  if (!isOwnPost(c.req.raw, formToken, { sessions, url })) {
    const caller = sessions.find(c.req.header('cookie'))?.person;
    throw new UnauthenticatedError('form of another page', 'The form was not sent from this page', { caller });
  }
  return redirect(`${url}/`, [sessions.end()]);
}

/** A sign-in, and where it leads back to. */
interface PendingReturn extends PendingLogin {
  readonly to: string;
}

function pendingOf({ seal, clock, url }: Login, cookies: string | undefined): PendingReturn | undefined {
  const name = cookieName('penstock-login', url.startsWith('https:'));
  const pending = seal.open(PENDING, readCookie(cookies, name), clock());
  return isPending(pending) ? pending : undefined;
}

/** We wrote and signed it: its names say that it has the shape we know. */
function isPending(value: unknown): value is PendingReturn {
  return typeof value === 'object' && value !== null && 'state' in value && 'verifier' in value && 'to' in value;
}

/** Of a token that was verified. */
function nonceOf(token: string): string {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  const nonce: unknown = typeof claims === 'object' && claims !== null && 'nonce' in claims ? claims.nonce : '';
  return typeof nonce === 'string' ? nonce : '';
}

function redirect(location: string, cookies: readonly string[]): Response {
  return withCookies(new Response(null, { status: 303, headers: { ...securityHeaders, location } }), cookies);
}

/**
 * The browser came here from the issuer's site, so that it would not send a strict cookie along with a redirect: the page
 * itself sends it on.
 */
function welcome(location: string, cookies: readonly string[]): Response {
  const page = html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Signed in · Penstock</title><meta http-equiv="refresh" content="0; url=${location}"></head>
<body><p>You are signed in. <a href="${location}">Go on</a></p></body>
</html>`;
  const headers = { ...securityHeaders, 'content-type': 'text/html; charset=utf-8' };
  return withCookies(new Response(String(page), { headers }), cookies);
}

function withCookies(response: Response, cookies: readonly string[]): Response {
  response.headers.set('cache-control', 'no-store');
  for (const cookie of cookies) response.headers.append('set-cookie', cookie);
  return response;
}
