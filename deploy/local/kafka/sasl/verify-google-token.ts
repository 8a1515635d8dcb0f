import type { VerifyToken } from './mechanism.ts';

const PARTS = 3;
const ALGORITHM = 'GOOG_OAUTH2_TOKEN';

/**
 * Takes the tokens that clients of Google's Managed Service for Apache Kafka make: three base64url parts as a JWT has, but the
 * third is an OAuth access token instead of a signature. Source: cloud.google.com/managed-service-for-apache-kafka, "Authentication types".
 *
 * @param options.verifyAccessToken whether this service account holds this access token: on the laptop, who gave it away knows
 * @param options.now ms since the epoch
 */
export function verifyGoogleToken(options: {
  verifyAccessToken: (accessToken: string, serviceAccount: string) => Promise<boolean> | boolean;
  now?: () => number;
}): VerifyToken {
  const { verifyAccessToken, now = Date.now } = options;
  return async (token) => {
    const parts = token.split('.').map((part) => Buffer.from(part, 'base64url').toString('utf8'));
    const [header = '', claims = '', accessToken = ''] = parts;
    if (parts.length !== PARTS) throw new Error(`The token has ${parts.length} parts, not ${PARTS}`);
    const { alg } = parseObject('header', header);
    if (alg !== ALGORITHM) throw new Error(`The token's algorithm is not ${ALGORITHM}`);
    const { sub, exp, scope } = parseObject('claims', claims);
    if (typeof sub !== 'string' || sub === '') throw new Error('The token has no sub, the service account');
    if (scope !== 'kafka') throw new Error('The token has another scope than kafka');
    if (typeof exp !== 'number') throw new Error('The token has no exp in seconds');
    if (exp * 1000 <= now()) throw new Error(`The token expired at ${new Date(exp * 1000).toISOString()}`);
    if (!(await verifyAccessToken(accessToken, sub))) throw new Error(`The access token is not one of ${sub}`);
    return { principal: sub, expiresAtMs: exp * 1000 };
  };
}

/** An error names the part and not what it holds. */
function parseObject(part: string, text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`The token's ${part} is no JSON`);
  }
  if (typeof value !== 'object' || value === null) throw new Error(`The token's ${part} is no JSON object`);
  return { ...value };
}
