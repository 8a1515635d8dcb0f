import type { EpochStore } from './epoch-store.ts';
import type { Training } from './training/training.ts';

/**
 * Writes what the trainer has counted in Prometheus' text format.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function formatMetrics(store: EpochStore, training: Training): string {
  const families = new Map<string, { help: string; type: string; lines: string[] }>();
  const add = (name: string, [type, help]: [string, string], labels: Record<string, string>, value: number) => {
    const family = families.get(name) ?? { help, type, lines: [] };
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${text.replace(/[\\"\n]/g, '_')}"`);
    family.lines.push(`${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`);
    families.set(name, family);
  };
  add('penstock_trainer_cache_bytes', ['gauge', 'Bytes of batches on the disk.'], {}, store.usedBytes);
  for (const [epoch, { shards }] of store.epochs) {
    const progress = training.progressOf(epoch);
    const sum = (count: (shard: (typeof shards)[number]) => number) =>
      shards.reduce((all, shard) => all + count(shard), 0);
    add(
      'penstock_trainer_batches',
      ['gauge', 'Batches taken.'],
      { epoch },
      sum(({ batches }) => batches.size),
    );
    add(
      'penstock_trainer_rows',
      ['gauge', 'Rows taken.'],
      { epoch },
      sum(({ rowCount }) => rowCount),
    );
    add('penstock_trainer_steps', ['counter', 'Training steps in the weights.'], { epoch }, progress?.steps ?? 0);
    add(
      'penstock_trainer_rows_seen_once',
      ['gauge', 'Rows that entered every pass exactly once.'],
      { epoch },
      progress?.rowsSeenOnce ?? 0,
    );
    add(
      'penstock_trainer_wait_share',
      ['gauge', 'Share of the training time spent waiting for batches.'],
      { epoch },
      progress?.waitShare ?? 0,
    );
    const loss = progress?.lastLoss;
    if (loss !== undefined)
      add('penstock_trainer_loss', ['gauge', 'Cross-entropy over the last steps.'], { epoch }, loss);
    const auc = progress?.evaluations.at(-1)?.auc;
    if (typeof auc === 'number')
      add('penstock_trainer_auc', ['gauge', 'Area under the ROC curve on held-out rows.'], { epoch }, auc);
  }
  return [...families]
    .map(([name, { help, type, lines }]) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`)
    .join('');
}
