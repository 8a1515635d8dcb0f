import { list, someOf, text } from '../../base/environment.ts';
import type { Declaration } from '../../model/config/declaration.ts';
import { trustedIssuers } from '../../model/identity/trusted-issuer.ts';
import { tokenVerifier, type VerifyToken } from './verify-token.ts';

/** What every HTTP function reads from its environment to know who may come in. */
export const doorSettings = {
  issuers: list('PENSTOCK_OIDC_ISSUER', 'Set it to the issuers of the callers’ tokens, divided by commas'),
  audience: text('PENSTOCK_AUDIENCE', 'Set it to this function’s own URL'),
  callers: someOf('PENSTOCK_CALLERS', 'Name who may call, divided by commas'),
};

/** The values of `doorSettings`. */
export interface DoorSettings {
  readonly issuers: readonly string[];
  readonly audience: string;
  readonly callers: readonly string[];
}

const GOOGLE = 'https://accounts.google.com';

/** Verifies tokens of the issuers that the environment and the declaration name; Google's where they name none. */
export function doorVerifier(
  { issuers, audience, callers }: DoorSettings,
  declaration: Pick<Declaration, 'access'>,
): VerifyToken {
  const declared = declaration.access?.issuers ?? [];
  const named = issuers.length === 0 ? [GOOGLE] : issuers;
  return tokenVerifier({ issuers: trustedIssuers(named, declared), audiences: [audience], callers });
}
