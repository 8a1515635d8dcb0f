import { Float32, Int32, Table, tableToIPC, Uint8, vectorFromArray } from 'apache-arrow';
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

/** The same four rows as an Arrow stream, written by the library's own front. */
export function smallArrowBatch({ epoch = 'e1', shard = 0, sequence = 0 } = {}): Uint8Array<ArrayBuffer> {
  const columns = {
    distance: vectorFromArray([1, 2, 3, sequence], new Float32()),
    origin: vectorFromArray([0, 1, 2, 0], new Int32()),
    label: vectorFromArray([0, 1, 0, 1], new Uint8()),
  };
  const table = new Table(columns);
  for (const [key, value] of Object.entries(metadataOf(epoch, shard, sequence))) table.schema.metadata.set(key, value);
  return new Uint8Array(tableToIPC(table, 'stream'));
}

/** One good batch of four rows; whatever is given replaces a part of it. */
export function smallBatch({ epoch = 'e1', shard = 0, sequence = 0, metadata, tensors }: SmallBatch = {}) {
  const good = { distance: float32([1, 2, 3, sequence]), origin: int32([0, 1, 2, 0]), label: uint8([0, 1, 0, 1]) };
  return new Uint8Array(batchBody({ ...metadataOf(epoch, shard, sequence), ...metadata }, { ...good, ...tensors }));
}

function metadataOf(epoch: string, shard: number, sequence: number): Record<string, string> {
  return {
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
}
