import { createHash, randomBytes } from 'node:crypto';
import { fetchDocument } from './fetch-document.ts';
import { IssuerUnavailableError } from './issuer-keys.ts';
import { UnauthenticatedError } from './verify-token.ts';

const MAX_DISCOVERY_BYTES = 64 * 1024;
const MAX_ANSWER_BYTES = 64 * 1024;
const TIMEOUT_MS = 10_000;

/** What a sign-in must remember until the person comes back. */
export interface PendingLogin {
  readonly state: string;
  readonly nonce: string;
  /** Proof that who redeems the code is who asked for it: RFC 7636. */
  readonly verifier: string;
}

/** Signs people in at an OpenID Provider: authorization code with PKCE. */
export interface OidcClient {
  /** Where to send a person, and what to remember meanwhile. */
  begin(): Promise<{ readonly url: string; readonly pending: PendingLogin }>;
  /**
   * Redeems the code that a person came back with.
   *
   * @returns the ID token, not verified yet
   * @throws {UnauthenticatedError} when the issuer does not take the code
   * @throws {IssuerUnavailableError} when it cannot be asked
   */
  redeem(code: string, pending: PendingLogin): Promise<string>;
}

/**
 * Makes the client for one issuer, whose discovery document is read at the first sign-in.
 *
 * @param options.redirectUri where people come back to; the issuer must know it
 * @param options.clientSecret for issuers that want one beside PKCE; asked each time, since it may rotate
 */
export function openOidcClient(options: {
  readonly issuer: string;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly clientSecret: (() => Promise<string>) | undefined;
}): OidcClient {
  const { issuer, clientId, redirectUri } = options;
  let endpoints: Promise<Endpoints> | undefined;
  const discovered = async (): Promise<Endpoints> => {
    endpoints ??= discover(issuer);
    return await endpoints.catch((cause: unknown) => {
      endpoints = undefined;
      throw new IssuerUnavailableError(issuer, cause);
    });
  };
  return {
    async begin() {
      const { authorization } = await discovered();
      const pending = { state: secretText(), nonce: secretText(), verifier: secretText() };
      const url = new URL(authorization);
      const parameters = {
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirectUri,
        scope: 'openid email profile',
        state: pending.state,
        nonce: pending.nonce,
        code_challenge: createHash('sha256').update(pending.verifier).digest('base64url'),
        code_challenge_method: 'S256',
      };
      for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
      return { url: url.href, pending };
    },
    async redeem(code, { verifier }) {
      const { token } = await discovered();
      const secret = await options.clientSecret?.();
      const form = new URLSearchParams({
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirectUri,
        client_id: clientId,
        code_verifier: verifier,
        ...(secret === undefined ? {} : { client_secret: secret }),
      });
      return await askForToken(token, form, issuer);
    },
  };
}

interface Endpoints {
  readonly authorization: string;
  readonly token: string;
}

async function discover(issuer: string): Promise<Endpoints> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const document = await fetchDocument(url, { maxBytes: MAX_DISCOVERY_BYTES });
  if (textOf(document, 'issuer') !== issuer) throw new Error(`${url} does not describe ${issuer}`);
  const authorization = textOf(document, 'authorization_endpoint');
  const token = textOf(document, 'token_endpoint');
  if (!URL.canParse(authorization) || !URL.canParse(token)) throw new Error(`${url} names no endpoints to sign in at`);
  return { authorization, token };
}

async function askForToken(url: string, form: URLSearchParams, issuer: string): Promise<string> {
  const answer = await fetch(url, {
    method: 'POST',
    body: form,
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((cause: unknown) => {
    throw new IssuerUnavailableError(issuer, cause);
  });
  const text = (await answer.text()).slice(0, MAX_ANSWER_BYTES);
  if (answer.status >= 500)
    throw new IssuerUnavailableError(issuer, new Error(`POST ${url} answered ${answer.status}`));
  // What it answered may hold the code or a secret.
  if (answer.status !== 200) {
    throw new UnauthenticatedError('sign-in not completed', `The issuer did not take the sign-in: ${answer.status}`);
  }
  const token = textOf(parsed(text), 'id_token');
  if (token === '') {
    throw new UnauthenticatedError('sign-in not completed', 'The issuer answered without an ID token');
  }
  return token;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function textOf(value: unknown, name: string): string {
  if (typeof value !== 'object' || value === null) return '';
  const found: unknown = Object.getOwnPropertyDescriptor(value, name)?.value;
  return typeof found === 'string' ? found : '';
}

function secretText(): string {
  return randomBytes(32).toString('base64url');
}
