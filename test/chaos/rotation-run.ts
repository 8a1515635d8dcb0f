import { buildChaosBundles } from './chaos-bundles.ts';
import type { ChaosOptions, ChaosReport } from './chaos-report.ts';
import { runRotationChaos } from './rotation-chaos.ts';

const RECORDS_PER_SECOND = 200;
/** As many as there is time for. */
const ROTATIONS = Number.MAX_SAFE_INTEGER;

/** Attacks rotations. */
export async function attackRotation({ maxMs, seed, onProgress }: ChaosOptions): Promise<ChaosReport> {
  onProgress('building bundles');
  const bundles = await buildChaosBundles(['kafka-sink', 'rotate-secrets']);
  try {
    const attack = { dist: bundles.dist, recordsPerSecond: RECORDS_PER_SECOND, isAttacked: true };
    return await runRotationChaos({ ...attack, seed, maxMs, rotations: ROTATIONS, onProgress });
  } finally {
    bundles.remove();
  }
}
