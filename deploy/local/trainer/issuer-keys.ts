import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import * as z from 'zod';
import { Problem } from './problem.ts';

const TIMEOUT_MS = 5_000;
const MAX_DISCOVERY_BYTES = 64 * 1024;
const MAX_KEYS_BYTES = 256 * 1024;
const MAX_KEYS = 100;
const FRESH_MS = 10 * 60_000;
/** While the issuer is down, keys that it once published are believed for so long. */
const BELIEVED_MS = 60 * 60_000;
/** What a waiting caller is told to wait, too. */
const RETRY_MS = 1_000;
/** Strangers, who can name any key, have the issuer asked no more often. */
const LOOK_AGAIN_MS = 10_000;

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.url() });
const keysSchema = z.object({ keys: z.array(z.unknown()).max(MAX_KEYS) });
const kid = z.string().exactOptional();
const use = z.literal('sig').exactOptional();
/** Base64url of 2,048 to 8,192 bits: a check with a huge modulus takes seconds. */
const modulus = z.string().regex(/^[\w-]{342,1366}$/);
const exponent = z.string().regex(/^[\w-]{1,6}$/);
/** Of a key that tokens may be signed by, its public half; whatever else the issuer publishes is left alone. */
const keySchema = z.discriminatedUnion('kty', [
  z.object({ kty: z.literal('RSA'), n: modulus, e: exponent, kid, use }),
  z.object({ kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string(), y: z.string(), kid, use }),
]);

/**
 * The issuer's public keys, found through its discovery document at the first call, so that it may start later.
 *
 * They are asked for again every ten minutes, and when a token names one that is not among them, at most every ten seconds.
 * Who calls meanwhile waits for the same answer.
 *
 * @param now milliseconds since 1970
 * @param timeoutMs for the whole of one answer
 * @throws {Problem} 503 from the returned function, when there are no keys to look among
 */
export function issuerKeys(issuer: string, now: () => number, timeoutMs = TIMEOUT_MS): JWTVerifyGetKey {
  let known: { readonly find: JWTVerifyGetKey; readonly atMs: number } | undefined;
  let failed: { readonly why: unknown; readonly atMs: number } | undefined;
  let lookedAgainAtMs = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  const ask = async (): Promise<void> => {
    try {
      known = { find: await readKeys(issuer, timeoutMs), atMs: now() };
      failed = undefined;
    } catch (why) {
      failed = { why, atMs: now() };
    } finally {
      asking = undefined;
    }
  };
  const askOnce = (): Promise<void> => {
    asking ??= ask();
    return asking;
  };
  const hasJustFailed = (): boolean => failed !== undefined && now() - failed.atMs < RETRY_MS;
  const keys = async (): Promise<JWTVerifyGetKey> => {
    const isFresh = known !== undefined && now() - known.atMs < FRESH_MS;
    if (!isFresh && !hasJustFailed()) await askOnce();
    if (known === undefined || now() - known.atMs >= BELIEVED_MS) throw unreachable(issuer, failed?.why);
    return known.find;
  };
  const mayLookAgain = (): boolean => {
    if (asking !== undefined) return true;
    if (now() - lookedAgainAtMs < LOOK_AGAIN_MS || hasJustFailed()) return false;
    lookedAgainAtMs = now();
    return true;
  };
  return async (header, token) => {
    const find = await keys();
    try {
      return await find(header, token);
    } catch (cause) {
      if (!(cause instanceof errors.JWKSNoMatchingKey) || !mayLookAgain()) throw cause;
      await askOnce();
      return (await keys())(header, token);
    }
  };
}

async function readKeys(issuer: string, timeoutMs: number): Promise<JWTVerifyGetKey> {
  const at = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const discovery = discoverySchema.parse(await readJson(at, { maxBytes: MAX_DISCOVERY_BYTES, timeoutMs }));
  if (discovery.issuer !== issuer) throw new Error(`${at} describes another issuer, ${discovery.issuer}`);
  const { keys } = keysSchema.parse(await readJson(discovery.jwks_uri, { maxBytes: MAX_KEYS_BYTES, timeoutMs }));
  return createLocalJWKSet({ keys: keys.flatMap((key) => keySchema.safeParse(key).data ?? []) });
}

/** Reads an answer that may be endless, late or from elsewhere: none of these is taken. */
async function readJson(url: string, limits: { maxBytes: number; timeoutMs: number }): Promise<unknown> {
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'https:' && `${protocol}//${hostname}` !== 'http://127.0.0.1') {
    throw new Error(`${url} is neither HTTPS nor on this machine`);
  }
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(limits.timeoutMs) });
  const body = await readBounded(response, limits.maxBytes);
  if (!response.ok) throw new Error(`${url} was answered with ${response.status}`);
  if (body === undefined) throw new Error(`${url} was answered with more than ${limits.maxBytes} bytes`);
  return JSON.parse(body);
}

/** @returns nothing for a longer body, whose rest is not waited for */
async function readBounded({ body }: Response, maxBytes: number): Promise<string | undefined> {
  const buffer = Buffer.alloc(maxBytes);
  let length = 0;
  for await (const piece of body ?? []) {
    if (length + piece.length > maxBytes) return undefined;
    buffer.set(piece, length);
    length += piece.length;
  }
  return buffer.toString('utf8', 0, length);
}

function unreachable(issuer: string, cause: unknown): Problem {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Problem(503, 'Issuer unreachable', `The keys of ${issuer} could not be had: ${reason}`, {
    'retry-after': String(RETRY_MS / 1_000),
  });
}
