import { buildChaosBundles } from './chaos-bundles.ts';
import type { ChaosOptions, ChaosReport } from './chaos-report.ts';
import { runSinkChaos } from './sink-chaos.ts';

const LOAD = { recordsPerSecond: 200, workers: 10, partitions: 8 };

/** Attacks the sinks. */
export async function attackSinks(options: ChaosOptions): Promise<ChaosReport> {
  options.onProgress('building bundles');
  const bundles = await buildChaosBundles(['kafka-sink', 'pubsub-sink']);
  try {
    const report = await runSinkChaos({ ...options, dist: bundles.dist, ...LOAD });
    const { damages, crashLines, ...counts } = report;
    const problems = [...damages.map(({ kind, where, what }) => `${kind}: ${where} ${what}`), ...crashLines];
    return { ...counts, problems };
  } finally {
    bundles.remove();
  }
}
