import { openIdentityServer } from '../../../../deploy/local/identity/server.ts';
import { serviceAccountKey } from '../../../../functions/rotate-secrets/strategies/service-account-key.ts';
import type { Strategy } from '../../../../functions/rotate-secrets/strategies/strategy.ts';
import { StrategyRefusedError } from '../../../../functions/rotate-secrets/strategies/strategy.ts';
import { openAccessTokens } from '../../../../shared/adapters/identity/access-tokens.ts';
import {
  openServiceAccountKeys,
  type ServiceAccountKeys,
} from '../../../../shared/adapters/identity/service-account-keys.ts';

export const rotatedAccount = 'exporter@flights.iam.gserviceaccount.com';
const rotator = 'rotate-secrets@flights.iam.gserviceaccount.com';

/** The laptop's IAM with an account whose keys rotate. */
export interface AccountKeysStage {
  readonly keys: ServiceAccountKeys;
  readonly issuer: string;
  /** Time moves a second with each key that is made: IAM tells seconds apart. */
  strategy(): Strategy;
  /** Whether somebody can sign in by the credentials file. */
  takes(value: Buffer): Promise<boolean>;
  close(): Promise<void>;
}

export async function openAccountKeys(options: { readonly dir?: string } = {}): Promise<AccountKeysStage> {
  const time = { nowMs: Date.now() };
  const identity = await openIdentityServer({ ...options, now: () => time.nowMs });
  identity.letManageKeys(`serviceAccount:${rotator}`, rotatedAccount);
  const { host } = await identity.openMetadataServer(rotator);
  process.env.PENSTOCK_IAM_URL = identity.issuer;
  process.env.GCE_METADATA_HOST = host;
  process.env.METADATA_SERVER_DETECTION = 'assume-present';
  const tokens = openAccessTokens();
  const keys = openServiceAccountKeys({ account: rotatedAccount, token: async () => (await tokens(false)).value });
  const counted: ServiceAccountKeys = {
    ...keys,
    create() {
      time.nowMs += 1_000;
      return keys.create();
    },
  };
  const strategy = (): Strategy => {
    return serviceAccountKey({ keys: counted, clock: () => time.nowMs, sleep: async () => {} });
  };
  return {
    keys,
    issuer: identity.issuer,
    strategy,
    takes: (value) =>
      strategy()
        .test(value)
        .then(
          () => true,
          (error: unknown) => {
            if (error instanceof StrategyRefusedError) return false;
            throw error;
          },
        ),
    close: () => identity.close(),
  };
}
