import { buildChaosBundles } from './chaos-bundles.ts';
import type { ChaosOptions, ChaosReport } from './chaos-report.ts';
import { runSinkChaos, type SinkChaosOptions } from './sink-chaos.ts';

/** Workers of two pipelines each: a worker that does less starts sooner, and more of them can be killed. */
const LOAD = {
  recordsPerSecond: 200,
  partitions: 8,
  workers: 12,
  teams: [
    ['events', 'counters'],
    ['latest', 'hourly'],
    ['guarded', 'routed'],
  ],
} satisfies Partial<SinkChaosOptions>;

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
