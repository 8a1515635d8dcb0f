import type { Authorize } from '../adapters/registry/ask-registry.ts';
import { openSchemaRegistry, type SchemaRegistry } from '../adapters/registry/schema-registry.ts';
import {
  readBasicAuthorization,
  readBearerAuthorization,
  readRegistryUrl,
} from '../adapters/secrets/read-credentials.ts';
import type { OnAttempt } from '../base/audit.ts';
import type { SchemaRegistry as DeclaredRegistry } from '../model/config/declaration.ts';
import type { CredentialSources } from './kafka-access.ts';

/**
 * Opens the declared registry; nothing is asked before a record needs it. Its secret is read with the first request, and
 * anew when the registry refused what it holds.
 *
 * @throws {SecretError} when its address is in a secret that cannot be read
 */
export async function openDeclaredRegistry(
  { url, urlSecret, auth }: DeclaredRegistry,
  sources: CredentialSources,
  onAttempt?: OnAttempt,
): Promise<SchemaRegistry> {
  const at = urlSecret === undefined ? url : readRegistryUrl(await sources.secrets.read(urlSecret));
  return openSchemaRegistry({ url: at, authorize: authorizeOf(auth, sources), onAttempt });
}

function authorizeOf(auth: DeclaredRegistry['auth'], { secrets, googleToken }: CredentialSources): Authorize {
  if (!auth) return async () => undefined;
  if (auth.kind === 'google') return async (fresh) => `Bearer ${(await googleToken(fresh)).value}`;
  const { kind, secret } = auth;
  const read = kind === 'basic' ? readBasicAuthorization : readBearerAuthorization;
  return async (fresh) => read(await secrets.read(secret, { fresh })).header;
}
