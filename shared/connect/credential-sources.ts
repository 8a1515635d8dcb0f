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
  /** Is told of each version that takes another one's place. */
  readonly onVersion?: (secret: string, version: string) => void;
}): CredentialSources & { close(): Promise<void> } {
  const [, projectId = ''] = options.database.split('/');
  const { log, onAttempt, onVersion } = options;
  const secrets = openSecretCache({ projectId, log, onAttempt, onVersion });
  return { secrets, googleToken: openAccessTokens(), close: () => secrets.close() };
}
