import { buildChaosBundles } from './chaos-bundles.ts';
import type { ChaosOptions, ChaosReport } from './chaos-report.ts';
import { runFeedChaos } from './feed-chaos.ts';

const ROWS = 10_000;
const READERS = 3;
const FAULTS_PER_EPOCH = 14;

/** Attacks readers and trainer. */
export async function attackFeed(options: ChaosOptions): Promise<ChaosReport> {
  options.onProgress('building bundles');
  const bundles = await buildChaosBundles(['plan-epoch', 'read-shard']);
  try {
    const size = { rows: ROWS, readers: READERS, faultsPerEpoch: FAULTS_PER_EPOCH };
    return await runFeedChaos({ ...options, ...size, dist: bundles.dist });
  } finally {
    bundles.remove();
  }
}
