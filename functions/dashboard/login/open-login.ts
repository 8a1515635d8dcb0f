import { randomBytes } from 'node:crypto';
import { openOidcClient } from '../../../shared/adapters/identity/oidc-client.ts';
import { tokenVerifier } from '../../../shared/adapters/identity/verify-token.ts';
import { openSecretCache } from '../../../shared/adapters/secrets/open-secret-cache.ts';
import type { Clock } from '../../../shared/base/clock.ts';
import { type Environment, readEnvironment, text } from '../../../shared/base/environment.ts';
import { ConfigError } from '../../../shared/base/errors.ts';
import type { Log } from '../../../shared/base/log.ts';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import { trustedIssuers } from '../../../shared/model/identity/trusted-issuer.ts';
import type { Login } from './login-routes.ts';
import { cookieSeal } from './sealed-cookie.ts';
import { openSessions } from './sessions.ts';

const settings = {
  issuer: text('PENSTOCK_LOGIN_ISSUER', 'Name the issuer that people sign in at', ''),
  clientId: text('PENSTOCK_LOGIN_CLIENT', 'Set it to the client id that the issuer knows this page by'),
  clientSecret: text('PENSTOCK_LOGIN_CLIENT_SECRET', 'Name the secret that holds the client’s secret', ''),
  sessionSecret: text('PENSTOCK_SESSION_SECRET', 'Name the secret whose bytes sign sessions', ''),
};

/**
 * Opens signing in, as PENSTOCK_LOGIN_… say.
 *
 * @throws {ConfigError} when sessions could not be read by another instance, or would travel in the clear
 */
export async function openLogin(
  declaration: Declaration,
  env: Environment,
  door: { readonly issuers: readonly string[]; readonly audience: string; readonly callers: readonly string[] },
  tools: {
    readonly log: Log;
    readonly clock: Clock;
    /** Is told which version of each secret is gone by. */
    readonly onVersion?: ((secret: string, version: string) => void) | undefined;
  },
): Promise<Login & { close(): Promise<void> }> {
  const { log, clock, onVersion } = tools;
  const given = readEnvironment(settings, env);
  const { audience: url, callers } = door;
  const issuer = given.issuer || (door.issuers[0] ?? 'https://accounts.google.com');
  const isLocal = /^http:\/\/(?:127\.0\.0\.1|localhost)(?::\d+)?(?:\/|$)/.test(url);
  if (!isLocal && !url.startsWith('https://'))
    throw refusal('PENSTOCK_AUDIENCE', `is ${url}`, 'Serve the page over HTTPS');
  if (!isLocal && given.sessionSecret === '') {
    throw refusal('PENSTOCK_SESSION_SECRET', 'is not set', 'Name a secret of at least 32 random bytes');
  }
  const [, projectId = ''] = declaration.spanner.database.split('/');
  const secrets = openSecretCache({ projectId, log, onVersion });
  const read = async (name: string): Promise<string> => (await secrets.read(name)).text();
  const key = given.sessionSecret === '' ? randomBytes(32) : Buffer.from(await read(given.sessionSecret));
  const seal = cookieSeal(key);
  const issuers = trustedIssuers([issuer], declaration.access?.issuers ?? [])
    .filter((trusted) => trusted.issuer === issuer)
    .map((trusted) => ({ ...trusted, audiences: [given.clientId], clients: [] }));
  const { clientId, clientSecret } = given;
  return {
    client: openOidcClient({
      issuer,
      clientId,
      redirectUri: `${url}/login/callback`,
      clientSecret: clientSecret === '' ? undefined : () => read(clientSecret),
    }),
    verify: tokenVerifier({ issuers, audiences: [clientId], callers, clock }),
    sessions: openSessions(seal, { isSecure: !isLocal, clock }),
    seal,
    clock,
    url,
    close: () => secrets.close(),
  };
}

function refusal(path: string, message: string, remedy: string): ConfigError {
  return new ConfigError([{ path, message, remedy }]);
}
