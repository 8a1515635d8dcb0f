import { importPKCS8, SignJWT } from 'jose';
import { PenstockError } from '../../base/errors.ts';

const DEADLINE_MS = 20_000;
const IAM = 'https://iam.googleapis.com';
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const ASSERTION_MS = 10 * 60_000;
const NOT_FOUND = 404;

/** A key of a service account, without its private half. */
export interface ServiceAccountKey {
  readonly id: string;
  readonly isDisabled: boolean;
  readonly createdAtMs: number;
}

/** IAM did not do what it was asked for, or a key was not let in. No message or cause holds a part of a key. */
export class ServiceAccountKeyError extends PenstockError {
  /** Of the answer; undefined when there was none. */
  readonly status: number | undefined;

  constructor(attempted: string, status: number | undefined, cause?: unknown) {
    const retryable = status === undefined || status === 429 || status >= 500;
    super(`Cannot ${attempted}: ${status === undefined ? 'no answer' : `the answer is ${status}`}`, {
      code: retryable ? 'IAM_UNAVAILABLE' : 'IAM_REFUSED',
      remedy: retryable
        ? 'Nothing to do where IAM comes back by itself: the rotation goes on at its next run'
        : 'Check that the account exists, has fewer than 10 keys, and that this identity has iam.serviceAccountKeyAdmin on it',
      retryable,
      cause,
    });
    this.status = status;
  }
}

/** The keys that users manage of one service account. */
export interface ServiceAccountKeys {
  /** Makes one. @returns its credentials file, as JSON, which is its taker's to wipe */
  create(): Promise<Buffer>;
  list(): Promise<readonly ServiceAccountKey[]>;
  /** Each may be repeated; a key that is gone is left gone. */
  change(id: string, to: 'enable' | 'disable' | 'delete'): Promise<void>;
}

/**
 * Reaches IAM's REST API; `PENSTOCK_IAM_URL` names another one, as on a laptop.
 *
 * Source: cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts.keys
 *
 * @param options.token gives an access token of who administers the keys
 */
export function openServiceAccountKeys(options: {
  readonly account: string;
  readonly token: () => Promise<string>;
}): ServiceAccountKeys {
  const { account, token } = options;
  const base = `${process.env.PENSTOCK_IAM_URL ?? IAM}/v1/projects/-/serviceAccounts/${encodeURIComponent(account)}/keys`;
  const call = async (attempted: string, method: string, path: string, body?: unknown): Promise<unknown> => {
    const headers = { authorization: `Bearer ${await token()}`, 'content-type': 'application/json' };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    return await answerOf(attempted, () => fetch(`${base}${path}`, { method, headers, ...sent, ...bounded() }));
  };
  return {
    async create() {
      const attempted = `make a key of ${account}`;
      const made = await call(attempted, 'POST', '', { privateKeyType: 'TYPE_GOOGLE_CREDENTIALS_FILE' });
      const data = fieldOf(made, 'privateKeyData');
      if (typeof data !== 'string') throw new ServiceAccountKeyError(attempted, undefined);
      return Buffer.from(data, 'base64');
    },
    async list() {
      const answer = await call(`list the keys of ${account}`, 'GET', '?keyTypes=USER_MANAGED');
      const keys = fieldOf(answer, 'keys');
      return Array.isArray(keys) ? keys.map(keyOf) : [];
    },
    async change(id, to) {
      const path = `/${encodeURIComponent(id)}${to === 'delete' ? '' : `:${to}`}`;
      const method = to === 'delete' ? 'DELETE' : 'POST';
      await call(`${to} key ${id} of ${account}`, method, path).catch((error: unknown) => {
        const isGone = error instanceof ServiceAccountKeyError && error.status === NOT_FOUND;
        if (!isGone || to === 'enable') throw error;
      });
    },
  };
}

/**
 * Signs in by a key, as Google's libraries do with a credentials file.
 *
 * Source: RFC 7523, section 2.1.
 *
 * @throws {ServiceAccountKeyError} `status` 400 or 401 when the key is not taken
 */
export async function signInByKey(
  key: {
    readonly clientEmail: string;
    readonly keyId: string;
    readonly privateKey: string;
    readonly tokenUri: string;
  },
  nowMs: number,
): Promise<void> {
  const attempted = `sign in by key ${key.keyId} of ${key.clientEmail}`;
  const issuedAt = Math.floor(nowMs / 1000);
  const assertion = await new SignJWT({ scope: SCOPE })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: key.keyId })
    .setIssuer(key.clientEmail)
    .setSubject(key.clientEmail)
    .setAudience(key.tokenUri)
    .setIssuedAt(issuedAt)
    .setExpirationTime(new Date(nowMs + ASSERTION_MS))
    .sign(await importPKCS8(key.privateKey, 'RS256'));
  const body = new URLSearchParams({ grant_type: GRANT, assertion });
  const answer = await answerOf(attempted, () =>
    fetch(key.tokenUri, { method: 'POST', body, redirect: 'error', ...bounded() }),
  );
  if (typeof fieldOf(answer, 'access_token') !== 'string') throw new ServiceAccountKeyError(attempted, undefined);
}

function bounded(): { readonly signal: AbortSignal } {
  return { signal: AbortSignal.timeout(DEADLINE_MS) };
}

/** An answer's own text is left out of errors: it may quote what it was sent. */
async function answerOf(attempted: string, send: () => Promise<Response>): Promise<unknown> {
  const answer = await send().catch((error: unknown) => {
    throw new ServiceAccountKeyError(attempted, undefined, error);
  });
  if (!answer.ok) {
    await answer.body?.cancel();
    throw new ServiceAccountKeyError(attempted, answer.status);
  }
  return await answer.json().catch(() => undefined);
}

function keyOf(key: unknown): ServiceAccountKey {
  const id = String(fieldOf(key, 'name')).split('/').at(-1) ?? '';
  const createdAtMs = Date.parse(String(fieldOf(key, 'validAfterTime')));
  return { id, isDisabled: fieldOf(key, 'disabled') === true, createdAtMs };
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;
}
