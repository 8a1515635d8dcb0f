import { hostname } from 'node:os';
import { openSpannerChannel } from '../adapters/spanner/channel.ts';
import type { Environment } from '../base/environment.ts';
import type { Log } from '../base/log.ts';
import type { Declaration } from '../model/config/declaration.ts';
import { openCredentialSources } from './credential-sources.ts';
import { openSecretReports } from './report-secret-uses.ts';

/** Where credentials come from, for a process that says which versions it goes by. */
export type ReportedSources = ReturnType<typeof openCredentialSources> & {
  /** Is told of the versions that another cache of this process has read. */
  readonly onVersion?: (secret: string, version: string) => void;
};

/**
 * Opens where credentials of connections come from, and reports which versions of the secrets that rotate this process goes by, so
 * that the old one waits for it. Where none rotate, nothing is connected to.
 *
 * @param options.name what people read in front of machine and process: the function's
 */
export function openReportedSources(
  { spanner: { database }, secrets }: Declaration,
  options: { readonly name: string; readonly env: Environment; readonly log: Log },
): ReportedSources {
  const { name, env, log } = options;
  const rotating = new Set(Object.keys(secrets));
  if (rotating.size === 0) return openCredentialSources({ database, log });
  const reports = openSecretReports({ owner: `${name}/${hostname()}/${process.pid}`, rotating, log });
  const { onVersion } = reports;
  const sources = openCredentialSources({ database, log, onVersion });
  const channel = openSpannerChannel(database, env);
  reports.start(sources.secrets, channel);
  return {
    ...sources,
    onVersion,
    async close() {
      await reports.stop();
      await sources.close();
      channel.close();
    },
  };
}
