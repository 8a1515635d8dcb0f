import { createHash } from 'node:crypto';
import { openEpochStore } from '../../../shared/adapters/spanner/epochs/epoch-store.ts';
import { openDatabase } from '../../../shared/adapters/spanner/open-database.ts';
import { PenstockError } from '../../../shared/base/errors.ts';
import { isSensitive } from '../../../shared/model/access/access-entities.ts';
import { sensitiveOfPlan } from '../../../shared/model/access/mask-epoch.ts';
import { masked } from '../../../shared/model/access/mask-record.ts';
import { canonicalJson, type Manifest, shardRanges } from '../../../shared/model/epochs/manifest.ts';
import { epochProgress, type ShardProgress } from '../epoch-progress.ts';
import type { Output } from '../output.ts';
import { mayReadColumns, requireFeedView } from '../own-authority.ts';
import { readConfig } from '../read-config.ts';
import { unknownEpoch } from './epoch.ts';

/** What `penstock lineage` takes. */
export interface LineageOptions {
  readonly config: string;
  readonly epoch: string;
  readonly shard: number;
  readonly sequence: number;
}

/** Names what a batch came from: offsets, read timestamp, columns, key range, transforms and identity. */
export async function lineage(options: LineageOptions, output: Output): Promise<void> {
  const { declaration } = await readConfig(options.config, ['spanner']);
  const open = openDatabase(declaration.spanner.database);
  try {
    const stored = await openEpochStore(open.database).find(options.epoch);
    const own = stored && (await requireFeedView(declaration, stored.manifest.plan.feed));
    const progress = await epochProgress(open.database, options.epoch);
    if (!stored || !progress) throw unknownEpoch(options.epoch);
    refuseUnknownBatch(
      options,
      progress.shards.filter(({ of }) => of === options.shard),
    );
    const { plan } = stored.manifest;
    const sensitive = sensitiveOfPlan(declaration, plan);
    // A query's key may come of any column that it names.
    const tellsKeys = plan.sql !== undefined || plan.key.some(({ name }) => isSensitive(declaration, plan.table, name));
    const hidesKeys = tellsKeys && !mayReadColumns(own, sensitive);
    const found = accountOf(stored.manifest, options);
    const account = hidesKeys ? { ...found, keyRange: masked } : found;
    output.result(account, describe(account, stored.manifest));
  } finally {
    await open.close();
  }
}

/** @param parts of the planned shard: itself, and what was cut off it */
function refuseUnknownBatch({ epoch, shard, sequence }: LineageOptions, parts: readonly ShardProgress[]): void {
  const batches = parts.reduce((sum, part) => sum + part.batches, 0);
  const isKnown = parts.length > 0;
  if (isKnown && (parts.some(({ state }) => state !== 'done') || sequence < batches)) return;
  const what = isKnown ? `${batches} batches in shard ${shard}` : `no shard ${shard}`;
  throw new PenstockError(`Epoch ${epoch} has ${what}, and so no batch ${sequence} there`, {
    code: 'NOT_FOUND',
    remedy: `Look at its shards: npx penstock epoch show ${epoch}`,
    retryable: false,
  });
}

function accountOf({ plan, ...manifest }: Manifest, { epoch, shard, sequence }: LineageOptions) {
  return {
    epoch,
    shard,
    sequence,
    feed: plan.feed,
    table: plan.table,
    readTimestamp: manifest.readTimestamp,
    readableUntil: manifest.readableUntil,
    keyRange: shardRanges(plan)[shard],
    columns: plan.columns,
    where: plan.where,
    sql: plan.sql,
    join: plan.join,
    tensors: manifest.tensors.map(({ name }) => name),
    transformDigest: `sha256:${createHash('sha256').update(canonicalJson(plan.transforms)).digest('hex')}`,
    planDigest: manifest.planDigest,
    plannedBy: manifest.plannedBy,
    versions: plan.versions,
    offsets: manifest.checkpoints,
  };
}

type Account = ReturnType<typeof accountOf>;

function describe(
  account: Omit<Account, 'keyRange'> & { readonly keyRange: Account['keyRange'] | typeof masked },
  { checkpoints }: Manifest,
): string {
  const { keyRange } = account;
  const key = (value: unknown): string => (value === undefined ? 'the end' : JSON.stringify(value));
  return [
    `Batch ${account.sequence} of shard ${account.shard} of ${account.epoch}`,
    `  table          ${account.table} at ${account.readTimestamp}`,
    keyRange === masked
      ? `  keys           ${masked}`
      : `  keys           from ${keyRange?.from === undefined ? 'the start' : key(keyRange.from)} to ${key(keyRange?.to)}`,
    ...(account.sql === undefined ? [] : [`  sql            ${account.sql.replace(/\s+/g, ' ').trim()}`]),
    ...(account.where === undefined ? [] : [`  where          ${account.where}`]),
    ...(account.join ?? []).map(({ name, table, on }) => {
      const pairs = on.map(({ column, equals }) => `${column} = ${equals}`);
      return `  joined         ${table} as ${name}, by ${pairs.join(', ')}`;
    }),
    `  columns        ${account.columns.join(', ')}`,
    `  tensors        ${account.tensors.join(', ')}`,
    `  transforms     ${account.transformDigest}`,
    `  plan           ${account.planDigest}`,
    `  planned by     ${account.plannedBy}`,
    `  made the same  until ${account.readableUntil}, by Node ${account.versions.node}`,
    ...checkpoints.map(
      ({ pipeline, topic, partition, nextOffset }) =>
        `  offsets        ${pipeline}: ${topic}/${partition} below ${nextOffset}`,
    ),
  ].join('\n');
}
