import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose';

const ALGORITHM = 'RS256';
/** Longer than any token lives, so that a token signed just before a rotation stays verifiable to its end. */
const PUBLISH_RETIRED_MS = 2 * 60 * 60 * 1000;

/** RSA keys that sign tokens: the newest signs, older ones stay published for two hours after they were replaced. */
export interface SigningKeys {
  sign(claims: JWTPayload): Promise<string>;
  /** The public halves, newest first, as a JSON Web Key Set has them. */
  publicKeys(): JWK[];
  rotate(): Promise<void>;
}

interface StoredKey {
  readonly kid: string;
  readonly jwk: JWK;
  readonly retiredAtMs: number | null;
}

/**
 * Opens the keys kept in a directory, and makes the first one when there is none.
 *
 * @param options.dir where `signing-keys.json` lives, readable by its owner only; undefined keeps the keys in memory
 * @param options.now the time in milliseconds since 1970
 */
export async function openSigningKeys(options: { dir: string | undefined; now: () => number }): Promise<SigningKeys> {
  const path = options.dir === undefined ? undefined : join(options.dir, 'signing-keys.json');
  let keys = path === undefined ? [] : readKeys(path);

  const rotate = async (): Promise<void> => {
    const fresh = await generateKey();
    const now = options.now();
    const kept = keys
      .map((key) => (key.retiredAtMs === null ? { ...key, retiredAtMs: now } : key))
      .filter((key) => isPublished(key, now));
    keys = [fresh, ...kept];
    if (path !== undefined) writeKeys(path, keys);
  };
  if (keys.length === 0) await rotate();

  return {
    rotate,
    publicKeys: () => keys.filter((key) => isPublished(key, options.now())).map(publicHalf),
    async sign(claims) {
      const [newest] = keys;
      if (newest === undefined) throw new Error('No signing key: call rotate() to make one');
      const header = { alg: ALGORITHM, kid: newest.kid, typ: 'JWT' };
      return new SignJWT(claims).setProtectedHeader(header).sign(await importJWK(newest.jwk, ALGORITHM));
    },
  };
}

async function generateKey(): Promise<StoredKey> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const jwk = await exportJWK(privateKey);
  return { kid: await calculateJwkThumbprint(jwk), jwk, retiredAtMs: null };
}

function isPublished(key: StoredKey, nowMs: number): boolean {
  return key.retiredAtMs === null || nowMs - key.retiredAtMs < PUBLISH_RETIRED_MS;
}

function publicHalf({ kid, jwk: { kty, n, e } }: StoredKey): JWK {
  if (kty === undefined || n === undefined || e === undefined) throw new Error(`Signing key ${kid} is not an RSA key`);
  return { kty, n, e, kid, alg: ALGORITHM, use: 'sig' };
}

function readKeys(path: string): StoredKey[] {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw new Error(`Cannot read the signing keys in ${path}: delete the file to start with a new key`, {
      cause: error,
    });
  }
}

function writeKeys(path: string, keys: readonly StoredKey[]): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(`${path}.next`, JSON.stringify(keys), { mode: 0o600 });
  renameSync(`${path}.next`, path);
}
