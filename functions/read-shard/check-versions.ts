import { PenstockError } from '../../shared/base/errors.ts';
import type { Manifest, Versions } from '../../shared/model/epochs/manifest.ts';

/**
 * Refuses a process whose Node, ICU or time zones are not those that the plan was made with: it could make other bytes.
 *
 * @throws {PenstockError} with code `PLAN_VERSIONS`, retryable
 */
export function checkVersions(manifest: Manifest, ours: Versions): void {
  const { node, icu, tz } = manifest.plan.versions;
  if (node === ours.node && icu === ours.icu && tz === ours.tz) return;
  const theirs = `Node ${node}, ICU ${icu}, time zones ${tz}`;
  throw new PenstockError(
    `Epoch ${manifest.epoch} was planned with ${theirs}; here are ${ours.node}, ${ours.icu}, ${ours.tz}`,
    {
      code: 'PLAN_VERSIONS',
      remedy:
        'Deploy plan-epoch and read-shard of one build; an instance of the right version may still take the shard',
      retryable: true,
    },
  );
}
