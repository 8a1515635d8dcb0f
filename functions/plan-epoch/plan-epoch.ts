import type { SpannerChannel } from '../../shared/adapters/spanner/channel.ts';
import { type EpochStore, maxShards, type StoredEpoch } from '../../shared/adapters/spanner/epochs/epoch-store.ts';
import type { PinnedSnapshot, SnapshotWish } from '../../shared/adapters/spanner/epochs/pin-snapshot.ts';
import { ReadRefusedError } from '../../shared/adapters/spanner/reader/reader-error.ts';
import { queryOf } from '../../shared/adapters/spanner/reader/shard-read.ts';
import { ConfigError, messageOf, PenstockError } from '../../shared/base/errors.ts';
import { maxBatchBytes } from '../../shared/base/limits.ts';
import type { Declaration, Feed } from '../../shared/model/config/declaration.ts';
import { batchesPerBlock, shardOrder } from '../../shared/model/epochs/cut-block.ts';
import { type EpochTick, epochId } from '../../shared/model/epochs/epoch-id.ts';
import { cutKeyRange } from '../../shared/model/epochs/key-range.ts';
import { buildManifest, type Manifest, type Plan, type Versions } from '../../shared/model/epochs/manifest.ts';
import { wordsOf } from '../../shared/model/sql/check-tokens.ts';
import { arrowVersion } from '../../shared/model/tensors/batch-format.ts';
import { fitBalance, fitSplit } from '../../shared/model/tensors/fit-transforms.ts';
import type { FittedTransform } from '../../shared/model/tensors/fitted.ts';
import { pinTransforms } from '../../shared/model/tensors/pin-transforms.ts';
import { rowBytes } from '../../shared/model/tensors/safetensors.ts';
import { type CheckedFeed, checkFeed } from './check-feed.ts';
import { cutPieces, type Survey, surveyTable } from './survey-table.ts';

/** Of a batch's body: names, shapes, metadata. */
const HEADER_BYTES = 256 * 1024;

/** What planning takes. */
export interface PlanTools {
  readonly store: EpochStore;
  readonly channel: SpannerChannel;
  /** Pins the read timestamp; see `pinSnapshot`. */
  readonly pin: (wanted: SnapshotWish) => Promise<PinnedSnapshot>;
  /** Publishes shard jobs in this order; undefined when the shards are read by whoever planned them. */
  readonly publish: ((epoch: string, shards: Iterable<number>) => Promise<void>) | undefined;
  /** Service account that plans. */
  readonly identity: string;
  readonly versions: Versions;
  /** How long the epoch may take to be read: its versions must be kept for so long. */
  readonly roomMs: number;
  readonly signal: AbortSignal;
  /** Throws when the feed may not read what it is made of; asked before a row is read. */
  readonly mayRead?: (feed: Feed, read: ReadPlan) => void;
  /** A table with fewer rows is read whole; see `surveyTable`. */
  readonly lookRows?: number;
}

/** What an epoch of a feed reads. */
export type ReadPlan = Pick<Plan, 'table' | 'columns' | 'where' | 'sql' | 'join'>;

/** An epoch that is planned and whose shards may be read. */
export interface PlannedEpoch {
  readonly epoch: string;
  readonly manifest: Manifest;
  /** Shard numbers in the order in which they are handed out. */
  readonly shards: readonly number[];
  /** False when the same tick had planned it before. */
  readonly isNew: boolean;
}

/**
 * Plans an epoch of a feed: pins a read timestamp, fits the transforms, cuts the shards, writes the manifest, and publishes
 * a job for each shard. The same tick gives the same epoch, whose jobs are published again only when the one before may
 * have died between its commit and its publishing.
 *
 * The trainer is not told here but by each reader, before its first batch: planning needs no trainer that is up.
 *
 * @throws {PenstockError} with code `NOT_FOUND` when there is no such feed
 * @throws {ConfigError} when the table does not have what the feed is made of
 * @throws {TensorError} when its rows do not
 */
export async function planEpoch(
  declaration: Declaration,
  feedName: string,
  tick: EpochTick,
  tools: PlanTools,
): Promise<PlannedEpoch> {
  const feed = Object.hasOwn(declaration.feeds, feedName) ? declaration.feeds[feedName] : undefined;
  if (!feed) throw unknownFeed(feedName, Object.keys(declaration.feeds));
  const epoch = epochId(feed.name, tick);
  const known = await tools.store.find(epoch);
  const stored = known ?? (await tools.store.save(await makeManifest(declaration, feed, epoch, tools)));
  const { manifest } = stored;
  const shards = [...shardOrder(manifest.plan.seed, manifest.plan.cuts.length + 1)];
  await publishJobs(stored, shards, tools);
  return { epoch, manifest, shards, isNew: known === undefined };
}

async function publishJobs(
  { state, manifest }: StoredEpoch,
  shards: readonly number[],
  { store, publish }: PlanTools,
): Promise<void> {
  if (state !== 'planned' || publish === undefined) return;
  const open = new Set(await store.openShards(manifest.epoch));
  await publish(
    manifest.epoch,
    shards.filter((shard) => open.has(shard)),
  );
  await store.markReading(manifest.epoch);
}

async function makeManifest(declaration: Declaration, feed: Feed, epoch: string, tools: PlanTools): Promise<Manifest> {
  const joined = (feed.join ?? []).map(({ table }) => table);
  const pipelines = pipelinesInto(declaration, [...tablesOf(feed), ...joined]);
  const pinned = await tools.pin({ table: feed.table, sql: feed.sql, pipelines, joined });
  const readableUntil = readableUntilOf(pinned, tools.roomMs);
  const checked = checkFeed(feed, pinned);
  tools.mayRead?.(feed, { table: feed.table, columns: checked.columns, join: checked.joins, ...sourceOf(feed) });
  const fitted = await earlierFit(feed, checked, tools.store);
  const survey = await surveyTable(tools.channel, feed, {
    table: feed.table,
    fitted,
    ...checked,
    key: pinned.key,
    query: queryOf({ ...sourceOf(feed), key: pinned.key }),
    options: feed.read,
    readTimestamp: pinned.readTimestamp,
    signal: tools.signal,
    partsOf: (rowCount) => shardsOf(feed, rowCount),
    lookRows: tools.lookRows,
  }).catch((error: unknown) => {
    throw queryRefused(feed, error) ?? error;
  });
  const described = {
    epoch,
    readTimestamp: pinned.readTimestamp,
    readableUntil,
    plannedBy: tools.identity,
    rowCount: survey.rowCount,
    ...(survey.isEstimate && { rowCountIsEstimate: true as const }),
    plan: makePlan(feed, checked, pinned, survey, tools.versions),
    checkpoints: pinned.checkpoints,
    ...(feed.read && { read: feed.read }),
    ...(feed.read?.dataBoost && { pieces: cutPieces(survey.samples) }),
  };
  const manifest = buildManifest(described, feed.fitFrom ?? null);
  checkBatchBytes(feed, manifest);
  return manifest;
}

/** What the declared earlier epoch learned; undefined when this one is to learn for itself. */
async function earlierFit(
  feed: Feed,
  { types }: CheckedFeed,
  store: EpochStore,
): Promise<readonly FittedTransform[] | undefined> {
  if (feed.fitFrom === undefined) return undefined;
  const earlier = await store.find(feed.fitFrom);
  if (earlier) return pinTransforms(feed, types, { epoch: feed.fitFrom, transforms: earlier.manifest.plan.transforms });
  throw new PenstockError(`There is no epoch ${JSON.stringify(feed.fitFrom)} whose fit feed ${feed.name} could take`, {
    code: 'NOT_FOUND',
    remedy: 'Name an epoch that was planned in this database, or fit anew without fitFrom',
    retryable: false,
  });
}

function makePlan(
  feed: Feed,
  { columns, joins }: CheckedFeed,
  pinned: PinnedSnapshot,
  survey: Survey,
  versions: Versions,
): Plan {
  const balance = fitBalance(feed);
  const ranges = cutKeyRange(survey.samples, shardsOf(feed, survey.rowCount));
  return {
    feed: feed.name,
    table: feed.table,
    columns,
    key: pinned.key,
    ...sourceOf(feed),
    ...(joins.length > 0 && { join: joins }),
    transforms: survey.transforms,
    split: fitSplit(feed) ?? null,
    ...(balance === undefined ? {} : { balance }),
    seed: feed.seed,
    batchRows: feed.batchRows,
    batchesPerBlock,
    cuts: ranges.flatMap(({ to }) => (to === undefined ? [] : [to])),
    ...formatOf(feed, versions),
  };
}

function shardsOf({ shards, shardRows }: Feed, rowCount: number): number {
  const wanted = shards ?? Math.ceil(rowCount / (shardRows ?? Math.max(1, rowCount)));
  return Math.min(maxShards, Math.max(1, wanted));
}

/** What a plan says of where its rows come from, beside the table. */
function sourceOf({ where, sql }: Feed): Pick<Plan, 'where' | 'sql'> {
  return { ...(where !== undefined && { where }), ...(sql && { sql: sql.text }) };
}

/** Tables that a feed's rows come from; of a query every word that could be one. */
function tablesOf({ table, sql }: Feed): string[] {
  return sql ? [...wordsOf(sql.text)] : [table];
}

function formatOf({ trainer, files }: Feed, versions: Versions): Pick<Plan, 'format' | 'versions'> {
  const format = files?.format ?? trainer?.format ?? 'safetensors';
  if (format === 'safetensors') return { versions };
  return { versions: format === 'arrow' ? { ...versions, arrow: arrowVersion } : versions, format };
}

/** Names of the Kafka pipelines that write some tables: their offsets say what these hold. */
function pipelinesInto(declaration: Declaration, tables: readonly string[]): string[] {
  const names = new Set(tables.map((table) => table.toLowerCase()));
  return Object.values(declaration.pipelines)
    .filter(({ source }) => source.kind === 'kafka')
    .filter(({ targets }) => targets.some(({ table }) => names.has(table.toLowerCase())))
    .map(({ name }) => name);
}

function readableUntilOf({ readTimestamp, retentionMs }: PinnedSnapshot, roomMs: number): string {
  if (retentionMs < roomMs) {
    throw new PenstockError(`Versions are kept for ${retentionMs} ms, and an epoch may take ${roomMs} ms`, {
      code: 'RETENTION_TOO_SHORT',
      remedy: 'Raise version_retention_period with ALTER DATABASE, or lower PENSTOCK_EPOCH_ROOM_MS',
      retryable: false,
    });
  }
  return new Date(Date.parse(readTimestamp) + retentionMs).toISOString();
}

/** The first query says what Spanner thinks of the condition, or of the feed's own query. */
function queryRefused({ name, where, sql }: Feed, error: unknown): ConfigError | undefined {
  if ((where === undefined && !sql) || !(error instanceof ReadRefusedError)) return undefined;
  const message = `is refused by Spanner: ${messageOf(error.cause)}`;
  const remedy = sql ? 'Write a GoogleSQL query' : 'Write a GoogleSQL condition on the table’s columns';
  return new ConfigError([{ path: `feeds.${name}.${sql ? 'sql' : 'where'}`, message, remedy }]);
}

function checkBatchBytes(feed: Feed, { tensors }: Manifest): void {
  const bytes = rowBytes(tensors) * feed.batchRows + HEADER_BYTES;
  if (bytes <= maxBatchBytes) return;
  throw new PenstockError(`A batch of feed ${feed.name} would have ${bytes} bytes, more than ${maxBatchBytes}`, {
    code: 'BATCH_TOO_LARGE',
    remedy: `Lower batchRows to ${Math.floor((maxBatchBytes - HEADER_BYTES) / rowBytes(tensors))}`,
    retryable: false,
  });
}

function unknownFeed(name: string, known: readonly string[]): PenstockError {
  return new PenstockError(`There is no feed ${JSON.stringify(name)}`, {
    code: 'NOT_FOUND',
    remedy: known.length === 0 ? 'Declare one under feeds' : `Name one of ${known.join(', ')}`,
    retryable: false,
  });
}
