import { writeFile } from 'node:fs/promises';
import { ConfigError } from '../../../shared/base/errors.ts';
import {
  credentialConfig,
  type Federation,
  type FederationSource,
  federationSetup,
} from '../../../shared/model/identity/federation.ts';
import type { Output } from '../output.ts';

/** What `penstock identity wif` takes. */
export interface WifOptions {
  readonly from: 'okta' | 'entra' | 'aws' | 'file';
  readonly pool: string;
  readonly provider: string;
  readonly serviceAccount: string;
  readonly tokenFile?: string;
  readonly field?: string;
  readonly resource?: string;
  readonly endpoint?: string;
  readonly out?: string;
}

const POOL = /^projects\/[^/]+\/locations\/global\/workloadIdentityPools\/[^/]+$/;

/** Writes the credential configuration by which a workload outside Google Cloud acts as a service account, without a key. */
export async function wif(options: WifOptions, output: Output): Promise<void> {
  const { pool, provider, serviceAccount, endpoint, out } = options;
  if (!POOL.test(pool)) {
    throw refusal('--pool', `is ${pool}`, 'Write projects/NUMBER/locations/global/workloadIdentityPools/POOL');
  }
  const federation: Federation = { pool, provider, serviceAccount, source: sourceOf(options), endpoint };
  const config = credentialConfig(federation);
  const setup = federationSetup(federation);
  const text = JSON.stringify(config, null, 2);
  if (out !== undefined) await writeFile(out, `${text}\n`);
  output.progress(`Once, for the pool ${pool}:\n${setup.map((line) => `  ${line}`).join('\n')}`);
  output.result(
    { config, setup, ...(out !== undefined && { written: out }) },
    out === undefined ? text : `Wrote ${out}. It holds no secret.`,
  );
}

function sourceOf({ from, tokenFile, field, resource }: WifOptions): FederationSource {
  if (from === 'aws') return { kind: 'aws' };
  if (from === 'entra') {
    if (resource === undefined)
      throw refusal('--resource', 'is not given', 'Name the application id URI that the token is for');
    return { kind: 'entra', resource };
  }
  if (tokenFile === undefined) throw refusal('--token-file', 'is not given', 'Name the file that holds the token');
  return from === 'okta' ? { kind: 'okta', file: tokenFile } : { kind: 'file', file: tokenFile, field };
}

function refusal(path: string, message: string, remedy: string): ConfigError {
  return new ConfigError([{ path, message, remedy }]);
}
