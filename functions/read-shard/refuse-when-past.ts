import { PenstockError } from '../../shared/base/errors.ts';
import type { Manifest } from '../../shared/model/epochs/manifest.ts';

/**
 * Refuses to read an epoch whose rows Spanner no longer keeps: said here, before anything is read or sent.
 *
 * @throws {PenstockError} with code `RETENTION_PASSED`
 */
export function refuseWhenPast({ epoch, readTimestamp, readableUntil }: Manifest, nowMs: number): void {
  if (nowMs <= Date.parse(readableUntil)) return;
  throw new PenstockError(`Epoch ${epoch} reads at ${readTimestamp}, which Spanner kept until ${readableUntil}`, {
    code: 'RETENTION_PASSED',
    remedy:
      'Plan a new epoch; a longer version_retention_period (ALTER DATABASE … SET OPTIONS, up to 7d) gives later ones more time',
    retryable: false,
  });
}
