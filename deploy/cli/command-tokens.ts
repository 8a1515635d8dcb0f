import { type IdTokens, openIdTokens } from '../../shared/adapters/identity/id-tokens.ts';
import { identities } from './stack/identities.ts';

const LOOPBACK_ISSUER = /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:|\/|$)/;

/**
 * ID tokens for a command: the usual ones, or, where there is only the laptop's issuer, its tokens for a service account
 * that stands for the person at the keyboard.
 */
export function commandTokens(env: NodeJS.ProcessEnv): Pick<IdTokens, 'authorization'> {
  const issuer = env.PENSTOCK_OIDC_ISSUER ?? '';
  const isLaptop = LOOPBACK_ISSUER.test(issuer) && !env.GCE_METADATA_HOST && !env.GOOGLE_APPLICATION_CREDENTIALS;
  return isLaptop ? { authorization: (audience) => askIssuer(issuer, audience) } : openIdTokens();
}

async function askIssuer(issuer: string, audience: string): Promise<string> {
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ serviceAccount: identities.laptop, audience }),
  });
  const body: unknown = await answer.json();
  if (typeof body !== 'object' || body === null || !('idToken' in body) || typeof body.idToken !== 'string') {
    throw new Error(`The laptop's issuer at ${issuer} gave no token: it answered ${answer.status}`);
  }
  return `Bearer ${body.idToken}`;
}
