import { openIdTokens } from '../../shared/adapters/identity/id-tokens.ts';
import type { Environment } from '../../shared/base/environment.ts';
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
