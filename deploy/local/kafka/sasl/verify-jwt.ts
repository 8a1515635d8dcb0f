import { createRemoteJWKSet, jwtVerify } from 'jose';
import type { VerifyToken } from './mechanism.ts';

const JWKS_TIMEOUT_MS = 5_000;
const CLOCK_TOLERANCE_SECONDS = 5;

/**
 * Takes JWTs that an issuer signed, as Kafka's own validator does: signature, issuer, audience, expiry, and a claim that names the owner.
 *
 * @param options.jwksUrl where the issuer publishes its keys
 * @param options.audience absent: any
 * @param options.principalClaim `sub`, as in Kafka, where left out
 * @param options.now ms since the epoch
 */
export function verifyJwt(options: {
  issuer: string;
  jwksUrl: string;
  audience?: string;
  principalClaim?: string;
  now?: () => number;
}): VerifyToken {
  const { issuer, jwksUrl, audience, principalClaim = 'sub', now = Date.now } = options;
  const keys = createRemoteJWKSet(new URL(jwksUrl), { timeoutDuration: JWKS_TIMEOUT_MS });
  return async (token) => {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      ...(audience === undefined ? {} : { audience }),
      algorithms: ['RS256', 'ES256'],
      requiredClaims: ['exp', principalClaim],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(now()),
    });
    const principal = payload[principalClaim];
    if (typeof principal !== 'string' || principal === '') {
      throw new Error(`The token's claim ${principalClaim} names nobody`);
    }
    return { principal, expiresAtMs: Number(payload.exp) * 1000 };
  };
}
