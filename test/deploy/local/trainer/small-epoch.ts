import { batchBody, float32, int32, type TestTensor, uint8 } from './batch-body.ts';

/** The announcement of an epoch with two shards of small batches, one dense feature and one id. */
export const smallAnnouncement = {
  feed: 'delays',
  readTimestamp: '2026-11-21T07:00:00.123456789Z',
  planDigest: 'sha256:abc',
  shards: 2,
  batchRows: 4,
  seed: 7,
  tensors: [
    { name: 'distance', dtype: 'float32', shape: [] },
    { name: 'origin', dtype: 'int32', shape: [], categories: 3 },
    { name: 'label', dtype: 'uint8', shape: [] },
  ],
};

export interface SmallBatch {
  epoch?: string;
  shard?: number;
  sequence?: number;
  metadata?: Record<string, string>;
  tensors?: Record<string, TestTensor>;
}

/** One good batch of four rows; whatever is given replaces a part of it. */
export function smallBatch({ epoch = 'e1', shard = 0, sequence = 0, metadata, tensors }: SmallBatch = {}) {
  const agreed = {
    epoch,
    shard: String(shard),
    sequence: String(sequence),
    rowFrom: String(sequence * 4),
    rowTo: String(sequence * 4 + 4),
    rows: '4',
    readTimestamp: smallAnnouncement.readTimestamp,
    planDigest: smallAnnouncement.planDigest,
    role: 'train',
    columns: '["Distance","Origin","Delay"]',
  };
  const good = { distance: float32([1, 2, 3, sequence]), origin: int32([0, 1, 2, 0]), label: uint8([0, 1, 0, 1]) };
  return new Uint8Array(batchBody({ ...agreed, ...metadata }, { ...good, ...tensors }));
}
