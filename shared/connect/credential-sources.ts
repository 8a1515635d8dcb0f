import { openAccessTokens } from '../adapters/identity/access-tokens.ts';
import { openSecretCache } from '../adapters/secrets/open-secret-cache.ts';
import type { OnAttempt } from '../base/audit.ts';
import type { Log } from '../base/log.ts';
import type { CredentialSources } from './kafka-access.ts';

/**
 * Opens where credentials of connections come from: the database's project's secrets, and this process' own identity.
 * Neither is asked before somebody needs it.
 *
 * @param options.database `projects/P/instances/I/databases/D`: secrets of short names are those of P
 */
export function openCredentialSources(options: {
  readonly database: string;
  readonly log: Log;
  /** Is told of each request to Secret Manager. */
  readonly onAttempt?: OnAttempt;
}): CredentialSources & { close(): Promise<void> } {
  const [, projectId = ''] = options.database.split('/');
  const secrets = openSecretCache({ projectId, log: options.log, onAttempt: options.onAttempt });
  return { secrets, googleToken: openAccessTokens(), close: () => secrets.close() };
}
