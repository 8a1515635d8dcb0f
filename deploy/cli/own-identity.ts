import { openIdTokens } from '../../shared/adapters/identity/id-tokens.ts';
import type { Environment } from '../../shared/base/environment.ts';
import { PenstockError } from '../../shared/base/errors.ts';
import type { Asker } from '../../shared/model/access/asker.ts';
import { identities } from './stack/identities.ts';

/**
 * Who runs a command, for lineage and audit: PENSTOCK_IDENTITY, the person at the laptop where Spanner is an emulator, or
 * whom Google's credentials name.
 */
export async function ownIdentity(env: Environment): Promise<string> {
  if (env.PENSTOCK_IDENTITY) return env.PENSTOCK_IDENTITY;
  if (env.SPANNER_EMULATOR_HOST) return identities.laptop;
  return await openIdTokens()
    .email()
    .catch(() => 'unknown');
}

const SERVICE_ACCOUNT = /\.gserviceaccount\.com$/;

/**
 * Who asks the policies when a command runs: only on an emulator whom PENSTOCK_IDENTITY names, else whom Google's credentials
 * name: a variable that anybody can set must not make a second person of the first.
 *
 * @throws {PenstockError} with code `UNAUTHENTICATED` when the credentials name nobody
 */
export async function ownAsker(env: Environment): Promise<Asker> {
  const isLaptop = Boolean(env.SPANNER_EMULATOR_HOST);
  const name = await ownIdentity(isLaptop ? env : { ...env, PENSTOCK_IDENTITY: undefined });
  if (name === 'unknown') {
    throw new PenstockError('Google’s credentials do not say who you are, and policies guard this', {
      code: 'UNAUTHENTICATED',
      remedy:
        'Use credentials of a service account, or impersonate one: gcloud auth application-default login --impersonate-service-account',
      retryable: false,
    });
  }
  const issuer = isLaptop ? 'laptop' : 'google-credentials';
  return { name, issuer, groups: [], kind: SERVICE_ACCOUNT.test(name) ? 'service' : 'person' };
}
