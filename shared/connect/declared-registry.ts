import type { Authorize } from '../adapters/registry/ask-registry.ts';
import { openSchemaRegistry, type SchemaRegistry } from '../adapters/registry/schema-registry.ts';
import { readBasicAuthorization, readBearerAuthorization } from '../adapters/secrets/read-credentials.ts';
import type { OnAttempt } from '../base/audit.ts';
import type { SchemaRegistry as DeclaredRegistry } from '../model/config/declaration.ts';
import type { CredentialSources } from './kafka-access.ts';

/**
 * Opens the declared registry; nothing is asked before a record needs it. Its secret is read with the first request, and
 * anew when the registry refused what it holds.
 */
export function openDeclaredRegistry(
  { url, auth }: DeclaredRegistry,
  sources: CredentialSources,
  onAttempt?: OnAttempt,
): SchemaRegistry {
  return openSchemaRegistry({ url, authorize: authorizeOf(auth, sources), onAttempt });
}

function authorizeOf(auth: DeclaredRegistry['auth'], { secrets, googleToken }: CredentialSources): Authorize {
  if (!auth) return async () => undefined;
  if (auth.kind === 'google') return async (fresh) => `Bearer ${(await googleToken(fresh)).value}`;
  const { kind, secret } = auth;
  const read = kind === 'basic' ? readBasicAuthorization : readBearerAuthorization;
  return async (fresh) => read(await secrets.read(secret, { fresh })).header;
}
