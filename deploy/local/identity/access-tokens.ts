import { randomBytes } from 'node:crypto';

const TOKEN_SECONDS = 3600;
const MAX_TOKENS = 1_000;

/** Opaque tokens, and who holds them: a member as IAM writes it, `serviceAccount:EMAIL`. */
export interface AccessTokens {
  /** @param prefix what the token begins with */
  give(prefix: string, member: string): { readonly token: string; readonly expiresAtMs: number };
  /** @param authorization the header; undefined for a token that is unknown or has expired */
  holderOf(authorization: string | undefined): string | undefined;
}

export const tokenSeconds = TOKEN_SECONDS;

/** Those of one issuer, in memory: after a restart everybody asks anew. */
export function openAccessTokens(now: () => number): AccessTokens {
  const tokens = new Map<string, { readonly member: string; readonly expiresAtMs: number }>();
  return {
    give(prefix, member) {
      const token = `${prefix}${randomBytes(24).toString('base64url')}`;
      const expiresAtMs = now() + TOKEN_SECONDS * 1000;
      tokens.set(token, { member, expiresAtMs });
      const [oldest] = tokens.keys();
      if (tokens.size > MAX_TOKENS && oldest !== undefined) tokens.delete(oldest);
      return { token, expiresAtMs };
    },
    holderOf(authorization = '') {
      const held = tokens.get(/^Bearer (.+)$/.exec(authorization)?.[1] ?? '');
      return held && now() < held.expiresAtMs ? held.member : undefined;
    },
  };
}
