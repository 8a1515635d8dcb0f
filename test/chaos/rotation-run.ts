import { buildChaosBundles } from './chaos-bundles.ts';
import type { ChaosOptions, ChaosReport } from './chaos-report.ts';
import { runRotationChaos } from './rotation-chaos.ts';

const RECORDS_PER_SECOND = 200;
const ROTATIONS = 20;
const MS_PER_MINUTE = 60_000;
/** What a run of five minutes is given, so that longer ones rotate more. */
const ROTATIONS_PER_MINUTE = ROTATIONS / 5;

/** Attacks rotations. */
export async function attackRotation({ maxMs, seed, onProgress }: ChaosOptions): Promise<ChaosReport> {
  onProgress('building bundles');
  const bundles = await buildChaosBundles(['kafka-sink', 'rotate-secrets']);
  try {
    const rotations = Math.max(1, Math.round((maxMs / MS_PER_MINUTE) * ROTATIONS_PER_MINUTE));
    const attack = { dist: bundles.dist, recordsPerSecond: RECORDS_PER_SECOND, isAttacked: true };
    return await runRotationChaos({ ...attack, seed, maxMs, rotations, onProgress });
  } finally {
    bundles.remove();
  }
}
