import { randomUUID } from 'node:crypto';
import type { SecretCache } from '../adapters/secrets/open-secret-cache.ts';
import type { SpannerChannel } from '../adapters/spanner/channel.ts';
import { reportSecretUse } from '../adapters/spanner/rotations/secret-users.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

/** A third of what counts as silence, less than that with what a slow write takes. */
const REPORT_EVERY_MS = 45_000;

/** Says which versions a process goes by, so that rotations leave it the old one until it has read the new one. */
export interface SecretReports {
  /** A version was read: it is reported at once where it is another. */
  readonly onVersion: (secret: string, version: string) => void;
  /**
   * Begins to report: each secret once in 45 seconds, and at once when its version is another. Secrets that nobody reads meanwhile are read
   * anew then, where the cache finds them too old.
   */
  start(cache: SecretCache, channel: SpannerChannel): void;
  /** Waits for a report that is under way. */
  stop(): Promise<void>;
}

/**
 * Opens the reports of a process; of secrets that do not rotate nothing is said.
 *
 * @param options.owner which process this is, for people to read
 * @param options.rotating names of the secrets that the declaration rotates
 */
export function openSecretReports(options: {
  readonly owner: string;
  readonly rotating: ReadonlySet<string>;
  readonly log: Log;
  readonly everyMs?: number;
}): SecretReports {
  const { rotating, log, everyMs = REPORT_EVERY_MS } = options;
  const holder = `${options.owner}/${randomUUID().slice(0, 8)}`;
  const versions = new Map<string, number>();
  let channel: SpannerChannel | undefined;
  let timer: NodeJS.Timeout | undefined;
  let reporting: Promise<void> = Promise.resolve();
  const report = (secret: string): void => {
    const version = versions.get(secret);
    const to = channel;
    if (version === undefined || !to) return;
    // One after another, and a failure is no reason to disturb who reads: the overlap protects him all the same.
    reporting = reporting
      .then(() => reportSecretUse(to, { secret, holder, version }))
      .catch((error: unknown) => {
        log('INFO', `Which version of secret ${secret} is in use could not be reported`, { error: messageOf(error) });
      });
  };
  return {
    onVersion(name, version) {
      const secret = name.slice(name.lastIndexOf('/') + 1);
      if (!rotating.has(secret) || versions.get(secret) === Number(version)) return;
      versions.set(secret, Number(version));
      report(secret);
    },
    start(cache, to) {
      channel = to;
      for (const secret of versions.keys()) report(secret);
      timer = setInterval(() => {
        for (const secret of versions.keys()) {
          void cache
            .read(secret)
            .catch(() => undefined)
            .then(() => report(secret));
        }
      }, everyMs);
      timer.unref();
    },
    async stop() {
      clearInterval(timer);
      channel = undefined;
      await reporting;
    },
  };
}
