import { buildChaosBundles } from './chaos-bundles.ts';
import type { ChaosOptions, ChaosReport } from './chaos-report.ts';
import { runFeedChaos } from './feed-chaos.ts';

const ROWS = 5_000;
const READERS = 6;

/** Attacks planner, readers and trainer. */
export async function attackFeed(options: ChaosOptions): Promise<ChaosReport> {
  options.onProgress('building bundles');
  const bundles = await buildChaosBundles(['plan-epoch', 'read-shard']);
  try {
    return await runFeedChaos({ ...options, rows: ROWS, readers: READERS, dist: bundles.dist });
  } finally {
    bundles.remove();
  }
}
