import { PenstockError } from '../../shared/base/errors.ts';
import type { Manifest, Versions } from '../../shared/model/epochs/manifest.ts';
import { arrowVersion } from '../../shared/model/tensors/batch-format.ts';

/**
 * Refuses a process whose Node, ICU or time zones are not those that the plan was made with: it could make other bytes.
 *
 * @throws {PenstockError} with code `PLAN_VERSIONS`, retryable
 */
export function checkVersions(manifest: Manifest, ours: Versions): void {
  const { node, icu, tz, arrow } = manifest.plan.versions;
  const isSameArrow = arrow === undefined || arrow === arrowVersion;
  if (node === ours.node && icu === ours.icu && tz === ours.tz && isSameArrow) return;
  const theirs = `Node ${node}, ICU ${icu}, time zones ${tz}${arrow === undefined ? '' : `, apache-arrow ${arrow}`}`;
  const here = [ours.node, ours.icu, ours.tz, ...(arrow === undefined ? [] : [arrowVersion])].join(', ');
  throw new PenstockError(`Epoch ${manifest.epoch} was planned with ${theirs}; here are ${here}`, {
    code: 'PLAN_VERSIONS',
    remedy: 'Deploy plan-epoch and read-shard of one build; an instance of the right version may still take the shard',
    retryable: true,
  });
}
