import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { readAnnouncement } from './announcement.ts';
import { checkBatch } from './check-batch.ts';
import { syncFolder, unfinishedSuffix, writeDurably } from './durable-file.ts';
import type { Epoch, Shard, ShardEnd, StoredBatch } from './epoch.ts';
import { Problem } from './problem.ts';

const shardEndSchema = z.object({ batches: z.int().min(0), rows: z.int().min(0) });
const epochEndSchema = z.object({ order: z.int().min(0) });

/*
 * On the disk, an epoch is a folder:
 *   announcement.json                          its body as it came
 *   shards/<shard>/<sequence>.<sha256>.batch   one batch's body as it came; .<traceparent> before .batch where its request had one
 *   shards/<shard>/end.json                    what its reader said at the end
 *   end.json                                   the epoch has ended, and as which one
 * Each file is written durably on its own, so no crash leaves a state that was never true.
 */

export const epochPaths = {
  folder: (dir: string, id: string) => join(dir, 'epochs', encodeURIComponent(id)),
  shard: (folder: string, shard: number) => join(folder, 'shards', String(shard)),
  batch: (folder: string, { shard, sequence, digest, traceparent }: NamedBatch) => {
    const trace = traceparent === undefined ? '' : `.${traceparent}`;
    return join(epochPaths.shard(folder, shard), `${sequence}.${digest}${trace}.batch`);
  },
};

/** What a batch's file is called by. */
type NamedBatch = Pick<StoredBatch, 'shard' | 'sequence' | 'digest' | 'traceparent'>;

const BATCH_NAME = /^(\d+)\.([0-9a-f]{64})(?:\.(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}))?\.batch$/;

/** Puts a new epoch on the disk. */
export async function writeEpoch(folder: string, announcement: Uint8Array, shardCount: number): Promise<void> {
  for (let shard = 0; shard < shardCount; shard += 1) {
    await mkdir(epochPaths.shard(folder, shard), { recursive: true });
  }
  await syncFolder(join(folder, 'shards'));
  await syncFolder(join(folder, '..'));
  await writeDurably(join(folder, 'announcement.json'), announcement);
}

export async function writeShardEnd(folder: string, shard: number, end: ShardEnd): Promise<void> {
  await writeDurably(join(epochPaths.shard(folder, shard), 'end.json'), Buffer.from(JSON.stringify(end)));
}

export async function writeEpochEnd(folder: string, order: number): Promise<void> {
  await writeDurably(join(folder, 'end.json'), Buffer.from(JSON.stringify({ order })));
}

/**
 * Reads an epoch back, checking every batch against its digest.
 *
 * A batch that is torn is deleted, and its shard's and epoch's end with it: the reader will be asked for it again.
 *
 * @returns undefined when the epoch was never wholly announced
 */
export async function loadEpoch(folder: string, id: string): Promise<Epoch | undefined> {
  await deleteUnfinished(folder);
  const bytes = await readIfThere(join(folder, 'announcement.json'));
  if (bytes === undefined) return undefined;
  const announcement = readAnnouncement(bytes);
  const epoch: Epoch = { id, folder, announcement, shards: emptyShards(announcement.shardCount), endOrder: undefined };
  for (const [number, shard] of epoch.shards.entries()) await loadShard(epoch, number, shard);
  const end = await readIfThere(join(folder, 'end.json'));
  const whole = epoch.shards.every((shard) => shard.end !== undefined);
  if (end !== undefined && whole) epoch.endOrder = epochEndSchema.parse(JSON.parse(end.toString())).order;
  return epoch;
}

export function emptyShards(count: number): Shard[] {
  return Array.from({ length: count }, () => ({ batches: new Map(), rowCount: 0, end: undefined }));
}

async function loadShard(epoch: Epoch, number: number, shard: Shard): Promise<void> {
  const folder = epochPaths.shard(epoch.folder, number);
  await deleteUnfinished(folder);
  for (const name of await readdir(folder)) {
    const [, sequence, digest, traceparent] = BATCH_NAME.exec(name) ?? [];
    if (sequence === undefined || digest === undefined) continue;
    const batch = await loadBatch(epoch, { shard: number, sequence: Number(sequence), digest, traceparent });
    if (batch === undefined) continue;
    shard.batches.set(batch.sequence, batch);
    shard.rowCount += batch.rowCount;
  }
  const end = await readIfThere(join(folder, 'end.json'));
  if (end === undefined) return;
  const counts = shardEndSchema.parse(JSON.parse(end.toString()));
  if (counts.batches === shard.batches.size && counts.rows === shard.rowCount) shard.end = counts;
}

async function loadBatch(epoch: Epoch, named: NamedBatch): Promise<StoredBatch | undefined> {
  const path = epochPaths.batch(epoch.folder, named);
  const body = await readFile(path);
  try {
    if (createHash('sha256').update(body).digest('hex') !== named.digest) throw new Problem(422, 'Torn', path);
    const { rowCount, role } = checkBatch(body, epoch.announcement, { epoch: epoch.id, ...named });
    return { ...named, rowCount, role, bytes: body.length, path };
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    await rm(path);
    return undefined;
  }
}

async function deleteUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.endsWith(unfinishedSuffix)) await rm(join(folder, name));
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw cause;
  }
}
