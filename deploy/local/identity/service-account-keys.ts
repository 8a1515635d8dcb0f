import { createPublicKey, generateKeyPair, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Context, Hono } from 'hono';
import { jwtVerify } from 'jose';
import { type AccessTokens, tokenSeconds } from './access-tokens.ts';

const generate = promisify(generateKeyPair);

const ACCOUNT = '/v1/projects/:project/serviceAccounts/:account/keys';
const MAX_KEYS = 10;
const MAX_ASSERTION_MS = 3_600_000;
const NEVER = '9999-12-31T23:59:59Z';
const FILE = 'service-account-keys.json';

/** IAM's keys of service accounts, and the grant that takes what they sign. */
export interface ServiceAccountKeys {
  readonly app: Hono;
  /** Lets a member, `serviceAccount:EMAIL`, make and delete keys of an account (`iam.serviceAccountKeyAdmin`); `*` for all of them. */
  letManageKeys(member: string, account: string): void;
  /** Answers `POST /token` with a JWT bearer grant (RFC 7523). */
  redeem(c: Context, form: Readonly<Record<string, string>>): Promise<Response>;
}

interface StoredKey {
  readonly account: string;
  readonly id: string;
  /** PEM; the private half is given away once and kept nowhere. */
  readonly publicKey: string;
  readonly createdAtMs: number;
  readonly disabled: boolean;
}

/** @param options.dir keeps the keys over restarts; in memory when left out */
export function openServiceAccountKeys(options: {
  readonly dir: string | undefined;
  readonly now: () => number;
  readonly issuer: () => string;
  readonly tokens: AccessTokens;
  readonly mint: (serviceAccount: string, audience: string) => Promise<string>;
}): ServiceAccountKeys {
  const { dir, now, tokens } = options;
  const path = dir === undefined ? undefined : join(dir, FILE);
  let keys: readonly StoredKey[] = path !== undefined && existsSync(path) ? readKeys(path) : [];
  const admins = new Set<string>();
  const keep = (next: readonly StoredKey[]): void => {
    keys = next;
    if (path !== undefined) writeKeys(path, next);
  };
  const app = new Hono();
  app.use(ACCOUNT, guard);
  app.use(`${ACCOUNT}/:key`, guard);
  async function guard(c: Context, next: () => Promise<void>): Promise<Response | undefined> {
    const member = tokens.holderOf(c.req.header('authorization'));
    if (member === undefined) return deny(c, 401, 'UNAUTHENTICATED', 'The access token is invalid or expired');
    const account = c.req.param('account') ?? '';
    if (!admins.has(`${member} ${account}`) && !admins.has(`${member} *`)) {
      return deny(c, 403, 'PERMISSION_DENIED', `${member} may not manage keys of ${account}`);
    }
    await next();
    return undefined;
  }
  app.get(ACCOUNT, (c) => {
    const { account } = c.req.param();
    return c.json({ keys: keys.filter((key) => key.account === account).map(shown) });
  });
  app.post(ACCOUNT, async (c) => {
    const { account } = c.req.param();
    if (keys.filter((key) => key.account === account).length >= MAX_KEYS) {
      return deny(c, 429, 'RESOURCE_EXHAUSTED', `Maximum number of keys on account reached: ${MAX_KEYS}`);
    }
    const pair = await generate('rsa', { modulusLength: 2048 });
    const key: StoredKey = {
      account,
      id: randomBytes(20).toString('hex'),
      publicKey: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      // Whole seconds, as IAM has them.
      createdAtMs: Math.floor(now() / 1000) * 1000,
      disabled: false,
    };
    keep([...keys, key]);
    const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const file = JSON.stringify(credentialsFile(key, privateKey, options.issuer()), null, 2);
    return c.json({ ...shown(key), privateKeyData: Buffer.from(file).toString('base64') });
  });
  app.on(['POST', 'DELETE'], `${ACCOUNT}/:key`, (c) => {
    const { account, key } = c.req.param();
    const [id = '', method] = key.split(':');
    const found = keys.find((one) => one.account === account && one.id === id);
    if (!found) return deny(c, 404, 'NOT_FOUND', `Service account key ${id} does not exist.`);
    const others = keys.filter((one) => one !== found);
    if (c.req.method === 'DELETE' && method === undefined) keep(others);
    else if (c.req.method === 'POST' && method === 'disable') keep([...others, { ...found, disabled: true }]);
    else if (c.req.method === 'POST' && method === 'enable') keep([...others, { ...found, disabled: false }]);
    else return deny(c, 404, 'NOT_FOUND', `There is no method ${method}`);
    return c.json({});
  });
  return {
    app,
    letManageKeys: (member, account) => void admins.add(`${member} ${account}`),
    async redeem(c, { assertion = '' }) {
      const refuse = (why: string): Response => c.json({ error: 'invalid_grant', error_description: why }, 400);
      const kid = kidOf(assertion);
      const key = keys.find(({ id }) => id === kid);
      if (!key || key.disabled) return refuse('Invalid JWT Signature.');
      try {
        const audience = `${options.issuer()}/token`;
        const { payload } = await jwtVerify(assertion, createPublicKey(key.publicKey), {
          issuer: key.account,
          audience,
          algorithms: ['RS256'],
          currentDate: new Date(now()),
          requiredClaims: ['iat', 'exp'],
        });
        const { iat = 0, exp = 0, target_audience: target } = payload;
        if ((exp - iat) * 1000 > MAX_ASSERTION_MS) return refuse('Token must be a short-lived token (60 minutes).');
        if (typeof target === 'string') return c.json({ id_token: await options.mint(key.account, target) });
        const { token } = tokens.give('ya29.local-', `serviceAccount:${key.account}`);
        return c.json({ access_token: token, expires_in: tokenSeconds, token_type: 'Bearer' });
      } catch {
        return refuse('Invalid JWT Signature.');
      }
    },
  };
}

function kidOf(assertion: string): string {
  try {
    const header: unknown = JSON.parse(Buffer.from(assertion.split('.')[0] ?? '', 'base64url').toString());
    return typeof header === 'object' && header !== null && 'kid' in header ? String(header.kid) : '';
  } catch {
    return '';
  }
}

function credentialsFile({ account, id }: StoredKey, privateKey: string, issuer: string): unknown {
  return {
    type: 'service_account',
    project_id: projectOf(account),
    private_key_id: id,
    private_key: privateKey,
    client_email: account,
    token_uri: `${issuer}/token`,
    universe_domain: 'googleapis.com',
  };
}

function shown({ account, id, createdAtMs, disabled }: StoredKey): Readonly<Record<string, unknown>> {
  return {
    name: `projects/${projectOf(account)}/serviceAccounts/${account}/keys/${id}`,
    keyAlgorithm: 'KEY_ALG_RSA_2048',
    keyOrigin: 'GOOGLE_PROVIDED',
    keyType: 'USER_MANAGED',
    privateKeyType: 'TYPE_GOOGLE_CREDENTIALS_FILE',
    validAfterTime: new Date(createdAtMs).toISOString().replace('.000Z', 'Z'),
    validBeforeTime: NEVER,
    ...(disabled ? { disabled: true, disableReason: 'SERVICE_ACCOUNT_KEY_DISABLE_REASON_USER_INITIATED' } : {}),
  };
}

function projectOf(account: string): string {
  return /@([^.@]+)\.iam\.gserviceaccount\.com$/.exec(account)?.[1] ?? 'local';
}

function readKeys(path: string): StoredKey[] {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function writeKeys(path: string, keys: readonly StoredKey[]): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(`${path}.new`, JSON.stringify(keys), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** As Google's APIs. */
function deny(c: Context, code: 401 | 403 | 404 | 429, status: string, message: string): Response {
  return c.json({ error: { code, status, message } }, code);
}
