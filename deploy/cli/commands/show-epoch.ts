import { setTimeout as delay } from 'node:timers/promises';
import { openEpochStore } from '../../../shared/adapters/spanner/epochs/epoch-store.ts';
import { type OpenDatabase, openDatabase } from '../../../shared/adapters/spanner/open-database.ts';
import { maskFit, sensitiveOfPlan } from '../../../shared/model/access/mask-epoch.ts';
import { masked } from '../../../shared/model/access/mask-record.ts';
import { leftMsOf, plannedRowsOf } from '../../../shared/model/epochs/choose-laggard.ts';
import { type Manifest, shardRanges } from '../../../shared/model/epochs/manifest.ts';
import { type EpochProgress, epochProgress, type ShardProgress } from '../epoch-progress.ts';
import type { Output } from '../output.ts';
import { mayReadColumns, requireFeedView } from '../own-authority.ts';
import { plannedRows } from '../planned-rows.ts';
import { readConfig } from '../read-config.ts';
import { bar, count, openScreen } from '../screen.ts';
import { unknownEpoch } from './epoch.ts';

const POLL_MS = 1_000;

/** What `penstock epoch show` takes. */
export interface ShowOptions {
  readonly config: string;
  readonly id: string;
  /** Goes on until the epoch is delivered or has failed. */
  readonly watch?: boolean;
  /** The fitted transforms, as JSON, in place of all else. */
  readonly fit?: boolean;
}

/** Prints where an epoch and its shards stand, with their pace and the time that they still need. */
export async function showEpoch({ config, id, watch, fit }: ShowOptions, output: Output): Promise<void> {
  const { declaration } = await readConfig(config, ['spanner']);
  const open = openDatabase(declaration.spanner.database);
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());
  try {
    const stored = await openEpochStore(open.database).find(id);
    if (!stored) throw unknownEpoch(id);
    const { manifest } = stored;
    const own = await requireFeedView(declaration, manifest.plan.feed);
    const mayRead = mayReadColumns(own, sensitiveOfPlan(declaration, manifest.plan));
    if (fit) return showFit(mayRead ? manifest.plan.transforms : maskFit(declaration, manifest.plan), output);
    const see = async () => {
      const found = await look(open, manifest);
      return mayRead ? found : withoutReason(found);
    };
    const shown = watch ? await follow(see, manifest, ending.signal) : await see();
    const json = {
      ...shown.progress,
      shards: shown.shards,
      feed: manifest.plan.feed,
      planDigest: manifest.planDigest,
      plannedBy: manifest.plannedBy,
      rowCount: manifest.rowCount,
      rowCountIsEstimate: manifest.rowCountIsEstimate ?? false,
      offsets: manifest.checkpoints,
    };
    output.result(json, [...head(shown), ...shown.shards.map(shardLine), foot(shown, manifest)].join('\n'));
  } finally {
    await open.close();
  }
}

/** One transform a line, for whoever applies them elsewhere: docs/transforms.md says how. */
function showFit(transforms: readonly object[], output: Output): void {
  output.result(transforms, transforms.map((transform) => JSON.stringify(transform)).join('\n'));
}

/** Why an epoch failed may quote a value. */
function withoutReason({ progress, shards }: Shown): Shown {
  return { progress: progress.error === undefined ? progress : { ...progress, error: masked }, shards };
}

/** A shard with what its counts say of time. */
interface ShardPace extends ShardProgress {
  readonly rowsPerSecond: number;
  /** Undefined unless it is being read. */
  readonly leftMs: number | undefined;
  readonly share: number;
}

interface Shown {
  readonly progress: EpochProgress;
  readonly shards: readonly ShardPace[];
}

async function look({ database }: OpenDatabase, { epoch, plan, rowCount }: Manifest): Promise<Shown> {
  const progress = await epochProgress(database, epoch);
  if (!progress) throw unknownEpoch(epoch);
  const rowsPerShard = rowCount / shardRanges(plan).length;
  return { progress, shards: progress.shards.map((shard) => paceOf(shard, rowsPerShard)) };
}

function paceOf(shard: ShardProgress, rowsPerShard: number): ShardPace {
  const plannedRows = plannedRowsOf(shard, rowsPerShard);
  const elapsedMs = Math.max(1, shard.updatedAtMs - (shard.startedAtMs ?? shard.updatedAtMs));
  const isDone = shard.state === 'done';
  return {
    ...shard,
    rowsPerSecond: Math.round((shard.rows / elapsedMs) * 1_000),
    leftMs:
      shard.state === 'reading'
        ? Math.round(leftMsOf({ ...shard, plannedRows }, { nowMs: shard.updatedAtMs }))
        : undefined,
    share: isDone ? 1 : Math.min(0.99, shard.rows / Math.max(1, plannedRows)),
  };
}

async function follow(see: () => Promise<Shown>, manifest: Manifest, signal: AbortSignal): Promise<Shown> {
  const screen = openScreen(process.stderr, process.stderr.isTTY);
  let shown = await see();
  screen.live(() => ({
    lines: [
      ...head(shown),
      ...shown.shards.filter(({ state }) => state === 'reading').map(shardLine),
      foot(shown, manifest),
    ],
    plain: foot(shown, manifest).trim(),
  }));
  try {
    while (!signal.aborted && !['delivered', 'failed'].includes(shown.progress.state)) {
      await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
      shown = await see();
    }
    return shown;
  } finally {
    screen.settle();
  }
}

function head({ progress }: Shown): string[] {
  const { id, state, readTimestamp, error } = progress;
  return [`${id}  ${state}, read at ${readTimestamp}${error === undefined ? '' : `  ${JSON.stringify(error)}`}`];
}

function shardLine({ shard, of, state, rows, batches, rowsPerSecond, leftMs, share }: ShardPace): string {
  const pace = rows === 0 ? '' : `${count(rowsPerSecond).padStart(9)} rows/s`;
  const left = leftMs === undefined ? '' : `  ${duration(leftMs)} left`;
  const rest = of === shard ? '' : `  rest of ${of}`;
  const counts = `${count(rows).padStart(10)} rows ${String(batches).padStart(6)} batches`;
  return `  shard ${String(shard).padStart(4)} ${bar(share, 1)} ${counts} ${pace.padEnd(16)}  ${state}${left}${rest}`;
}

function foot({ shards }: Shown, manifest: Manifest): string {
  const rows = shards.reduce((sum, shard) => sum + shard.rows, 0);
  const done = shards.filter(({ state }) => state === 'done').length;
  const left = Math.max(0, ...shards.map(({ leftMs }) => leftMs ?? 0));
  const when = left === 0 ? '' : `, ${duration(left)} left for the slowest that is read`;
  return `  ${count(rows)} of ${plannedRows(manifest)} rows, ${done} of ${shards.length} shards delivered${when}`;
}

/** `12 s`, `4 min`, `2.5 h`. */
function duration(ms: number): string {
  if (ms < 120_000) return `${Math.ceil(ms / 1_000)} s`;
  return ms < 7_200_000 ? `${Math.ceil(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
