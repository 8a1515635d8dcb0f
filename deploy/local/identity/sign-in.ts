import { type Context, Hono } from 'hono';
import { html } from 'hono/html';
import type { JWTPayload } from 'jose';
import { authorizationCodes, readAuthorizationRequest } from './authorization-codes.ts';
import { claimsOf, people } from './people.ts';

/** How the issuer signs a token for a person. */
export type MintForPerson = (email: string, clientId: string, claims: JWTPayload) => Promise<string>;

/** Signing in at the laptop's issuer: a page on which one chooses whom to be, and the code that comes of it. */
export interface SignIn {
  readonly app: Hono;
  /** Answers the token endpoint's `grant_type=authorization_code`. */
  redeem(c: Context, form: Readonly<Record<string, string>>): Promise<Response>;
}

export function signIn(options: {
  readonly now: () => number;
  readonly issuer: () => string;
  readonly mint: MintForPerson;
}): SignIn {
  const codes = authorizationCodes(options.now);
  const app = new Hono();
  app.get('/authorize', (c) => {
    const request = readAuthorizationRequest(c.req.query());
    if (typeof request === 'string') return c.text(request, 400);
    return c.html(choices(new URL(c.req.url).search), 200, { 'Content-Security-Policy': "default-src 'none'" });
  });
  app.post('/authorize', async (c) => {
    const request = readAuthorizationRequest(c.req.query());
    if (typeof request === 'string') return c.text(request, 400);
    const form = await c.req.parseBody();
    const person = people.find(({ email }) => email === form.person);
    if (!person) return c.text('There is no such person', 400);
    const target = new URL(request.redirectUri);
    target.searchParams.set('code', codes.give(request, person));
    target.searchParams.set('state', request.state);
    target.searchParams.set('iss', options.issuer());
    return c.redirect(target.href, 303);
  });
  return {
    app,
    async redeem(c, form) {
      const {
        client_id: clientId = '',
        redirect_uri: redirectUri = '',
        code = '',
        code_verifier: verifier = '',
      } = form;
      const redeemed = codes.redeem(code, { clientId, redirectUri, verifier });
      if (!redeemed) return c.json({ error: 'invalid_grant' }, 400);
      const { person, nonce } = redeemed;
      const claims = { ...claimsOf(person), azp: clientId, nonce };
      const idToken = await options.mint(person.email, clientId, claims);
      return c.json({ id_token: idToken, access_token: 'none', token_type: 'Bearer', expires_in: 3600 });
    },
  };
}

function choices(query: string) {
  return html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Sign in · the laptop’s issuer</title></head>
<body>
<h1>Whom do you want to be?</h1>
<p>This is the laptop’s issuer: it asks for no password.</p>
<form method="post" action="/authorize${query}">
${people.map(({ email, name, groups }) => html`<p><button name="person" value="${email}">${name}</button> ${email}, ${groups.join(', ')}</p>`)}
</form>
</body>
</html>`;
}
