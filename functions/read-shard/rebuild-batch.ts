import type { SpannerChannel } from '../../shared/adapters/spanner/channel.ts';
import { readRows } from '../../shared/adapters/spanner/reader/read-rows.ts';
import { shardRead } from '../../shared/adapters/spanner/reader/shard-read.ts';
import type { Clock } from '../../shared/base/clock.ts';
import { PenstockError } from '../../shared/base/errors.ts';
import { type Position, startPosition } from '../../shared/model/epochs/cut-block.ts';
import { divideBlock, rowSpan } from '../../shared/model/epochs/divide-block.ts';
import { batchMetadata, type Manifest, shardRanges, type Versions } from '../../shared/model/epochs/manifest.ts';
import { layoutOfFormat } from '../../shared/model/tensors/batch-format.ts';
import { batchEncoder } from '../../shared/model/tensors/encode-batch.ts';
import { checkVersions } from './check-versions.ts';
import { refuseWhenPast } from './refuse-when-past.ts';
import { type BlockSpan, walkBlocks } from './walk-blocks.ts';

/** What rebuilding takes. */
export interface RebuildTools {
  readonly channel: SpannerChannel;
  readonly versions: Versions;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told after each block that is passed on the way. */
  readonly onRows?: (rows: number) => void;
}

/** A batch made anew. */
export interface RebuiltBatch {
  readonly body: Buffer;
  readonly role: string;
  readonly rows: number;
  readonly block: number;
  readonly rowFrom: number;
  readonly rowTo: number;
}

/**
 * Makes a batch again, byte for byte as it was delivered, from the rows as they were at the epoch's read timestamp.
 *
 * It reads the keys and the split column of the rows before it, and one block whole.
 *
 * @throws {PenstockError} with code `RETENTION_PASSED` when Spanner no longer keeps those rows, `PLAN_VERSIONS` when this
 *   process would make other bytes, `NOT_FOUND` when the shard has no such batch
 */
export async function rebuildBatch(
  manifest: Manifest,
  place: { readonly shard: number; readonly sequence: number },
  tools: RebuildTools,
): Promise<RebuiltBatch> {
  const { shard, sequence } = place;
  checkVersions(manifest, tools.versions);
  refuseWhenPast(manifest, tools.clock());
  const { from } = await findBlock(manifest, place, tools);
  const { plan } = manifest;
  const block = await readBlock(manifest, shard, from, tools);
  const batch = divideBlock(plan, { shard, position: from }, block, plan.columns).find(
    (candidate) => candidate.sequence === sequence,
  );
  if (!batch) throw noBatch(manifest.epoch, shard, sequence, from.nextSequence);
  const { role, rows } = batch;
  const span = rowSpan(from, block);
  const metadata = batchMetadata(manifest, { shard, sequence, role, rows: rows.length, ...span });
  const layoutOf = await layoutOfFormat(plan.format ?? 'safetensors');
  const body = batchEncoder(plan.transforms, plan.columns, plan.key.length, layoutOf).encode(block, rows, metadata);
  return { body, role, rows: rows.length, block: from.block, ...span };
}

async function findBlock(
  manifest: Manifest,
  { shard, sequence }: { readonly shard: number; readonly sequence: number },
  { channel, signal, onRows }: RebuildTools,
): Promise<BlockSpan> {
  if (shard >= shardRanges(manifest.plan).length) throw noBatch(manifest.epoch, shard, sequence, 0);
  let batches = 0;
  for await (const span of walkBlocks(channel, manifest, { shard, from: startPosition, signal })) {
    onRows?.(span.to.rows);
    batches = span.to.nextSequence;
    if (sequence < batches) return span;
  }
  throw noBatch(manifest.epoch, shard, sequence, batches);
}

async function readBlock(manifest: Manifest, shard: number, { afterKey, rows }: Position, tools: RebuildTools) {
  const { columns } = manifest.plan;
  const read = shardRead(manifest, { shard, columns, afterKey, signal: tools.signal });
  for await (const block of readRows(tools.channel, read)) return block;
  throw new TypeError(`Shard ${shard} of ${manifest.epoch} has no rows behind its row ${rows}`);
}

function noBatch(epoch: string, shard: number, sequence: number, batches: number): PenstockError {
  return new PenstockError(`Shard ${shard} of ${epoch} has ${batches} batches, and so no batch ${sequence}`, {
    code: 'NOT_FOUND',
    remedy: `Look at its shards: npx penstock epoch show ${epoch}`,
    retryable: false,
  });
}
