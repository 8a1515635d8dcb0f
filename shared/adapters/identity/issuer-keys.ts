import { createLocalJWKSet, errors, type JWK, type JWTVerifyGetKey } from 'jose';
import { PenstockError } from '../../base/errors.ts';
import { fetchDocument } from './fetch-document.ts';

const FRESH_MS = 10 * 60_000;
/** While the issuer is down, keys that it once published are believed for so long. */
const STALE_MS = 60 * 60_000;
/** An attempt that failed is not repeated sooner, and neither is one for a key that nobody knows. */
const COOLDOWN_MS = 10_000;
const MAX_DISCOVERY_BYTES = 64 * 1024;
const MAX_KEYS_BYTES = 256 * 1024;
/** Google publishes two keys, Entra ID under ten. */
const MAX_KEYS = 100;
const MIN_RSA_BITS = 2_048;
/** A verification with a huge modulus takes seconds. */
const MAX_RSA_BITS = 8_192;

/** The issuer's keys cannot be had, so that nothing can be said of a token. */
export class IssuerUnavailableError extends PenstockError {
  constructor(issuer: string, cause: unknown) {
    super(`Cannot read the keys of issuer ${issuer}`, {
      code: 'ISSUER_UNAVAILABLE',
      remedy: 'Check that the issuer is reachable; the request may be sent again',
      retryable: true,
      cause,
    });
  }
}

interface KeySet {
  readonly find: JWTVerifyGetKey;
  readonly fetchedAtMs: number;
}

/**
 * The public keys of one issuer, as its discovery document names them.
 *
 * They are fetched at the first call and every ten minutes; and once more, at most every ten seconds, when a token names a
 * key that is not among them, so that a rotation is followed and strangers cannot have us fetch at will. Calls that come
 * meanwhile wait for the same fetch. While the issuer is down, the last keys count for an hour.
 *
 * @throws {IssuerUnavailableError} from the returned function, when there are no keys to look among
 */
export function issuerKeys(issuer: string, clock: () => number = Date.now): JWTVerifyGetKey {
  let held: KeySet | undefined;
  let failure: { readonly error: unknown; readonly atMs: number } | undefined;
  let soughtAtMs = Number.NEGATIVE_INFINITY;
  let fetching: Promise<void> | undefined;

  const refetch = (): Promise<void> => {
    fetching ??= fetchKeys(issuer)
      .then(
        (keys) => {
          held = { find: createLocalJWKSet({ keys }), fetchedAtMs: clock() };
          failure = undefined;
        },
        (error: unknown) => {
          failure = { error, atMs: clock() };
        },
      )
      .finally(() => {
        fetching = undefined;
      });
    return fetching;
  };
  const isCooling = (): boolean => failure !== undefined && clock() - failure.atMs < COOLDOWN_MS;
  const current = async (): Promise<JWTVerifyGetKey> => {
    if ((held === undefined || clock() - held.fetchedAtMs >= FRESH_MS) && !isCooling()) await refetch();
    if (held === undefined || clock() - held.fetchedAtMs >= STALE_MS) {
      throw new IssuerUnavailableError(issuer, failure?.error);
    }
    return held.find;
  };

  return async (header, token) => {
    const find = await current();
    try {
      return await find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      if (fetching === undefined) {
        if (clock() - soughtAtMs < COOLDOWN_MS || isCooling()) throw error;
        soughtAtMs = clock();
      }
      await refetch();
      return (await current())(header, token);
    }
  };
}

async function fetchKeys(issuer: string): Promise<JWK[]> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const document = await fetchDocument(url, { maxBytes: MAX_DISCOVERY_BYTES });
  // OpenID Connect Discovery 1.0, section 4.3: otherwise one issuer could answer for another.
  if (fieldOf(document, 'issuer') !== issuer) throw new Error(`${url} does not describe ${issuer}`);
  const jwksUri = fieldOf(document, 'jwks_uri');
  if (typeof jwksUri !== 'string' || !URL.canParse(jwksUri)) throw new Error(`${url} names no jwks_uri`);
  const keys = fieldOf(await fetchDocument(jwksUri, { maxBytes: MAX_KEYS_BYTES }), 'keys');
  if (!Array.isArray(keys)) throw new Error(`${jwksUri} holds no keys`);
  if (keys.length > MAX_KEYS) throw new Error(`${jwksUri} holds ${keys.length} keys, more than ${MAX_KEYS}`);
  return keys.flatMap((key: unknown) => publicKey(key) ?? []);
}

/** Its public half, when it is one that a token may be verified with; a set may hold others. */
function publicKey(key: unknown): JWK | undefined {
  const text = (name: string): string => {
    const value = fieldOf(key, name);
    return typeof value === 'string' ? value : '';
  };
  const use = text('use');
  if (use !== '' && use !== 'sig') return undefined;
  const kid = text('kid');
  const named = kid === '' ? {} : { kid };
  if (text('kty') === 'RSA') {
    const [n, e] = [text('n'), text('e')];
    const bits = Buffer.from(n, 'base64url').length * 8;
    const isUsual = bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS && Buffer.from(e, 'base64url').length <= 4;
    return isUsual ? { kty: 'RSA', n, e, ...named, alg: 'RS256', use: 'sig' } : undefined;
  }
  if (text('kty') === 'EC' && text('crv') === 'P-256') {
    return { kty: 'EC', crv: 'P-256', x: text('x'), y: text('y'), ...named, alg: 'ES256', use: 'sig' };
  }
  return undefined;
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}
