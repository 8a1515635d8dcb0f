import type { Announcement } from './announcement.ts';

/** One batch that is on the disk. */
export interface StoredBatch {
  shard: number;
  sequence: number;
  rowCount: number;
  /** Rows of test are kept for whoever tests the finished model: no pass uses them. */
  role: 'train' | 'evaluate' | 'test';
  /** SHA-256 of the body, hexadecimal. */
  digest: string;
  bytes: number;
  path: string;
  /** W3C's, of the request that brought it. */
  traceparent?: string | undefined;
}

/** What a reader says at a shard's end. */
export interface ShardEnd {
  batches: number;
  rows: number;
}

export interface Shard {
  batches: Map<number, StoredBatch>;
  rowCount: number;
  end: ShardEnd | undefined;
}

/** An announced epoch and what has come of it. */
export interface Epoch {
  id: string;
  folder: string;
  announcement: Announcement;
  shards: readonly Shard[];
  /** Set when every shard has ended and the epoch was ended: epochs are trained in this order. */
  endOrder: number | undefined;
}

/** The lowest sequence that has not come: what the trainer needs next of the shard. */
export function nextSequence(shard: Shard): number {
  let next = 0;
  while (shard.batches.has(next)) next += 1;
  return next;
}

/** Sequences below `count` that have not come, at most `limit` of them. */
export function missingSequences(shard: Shard, count: number, limit: number): number[] {
  const missing: number[] = [];
  for (let sequence = 0; sequence < count && missing.length < limit; sequence += 1) {
    if (!shard.batches.has(sequence)) missing.push(sequence);
  }
  return missing;
}

/** All batches in the order of shard and sequence: the same in every process. */
export function batchesInOrder(epoch: Epoch): StoredBatch[] {
  return epoch.shards.flatMap((shard) => [...shard.batches.values()].sort((a, b) => a.sequence - b.sequence));
}
