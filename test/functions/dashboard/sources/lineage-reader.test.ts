import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineageReader } from '../../../../functions/dashboard/sources/lineage-reader.ts';
import type { CheckpointRow, LineageRow, OverviewReader } from '../../../../shared/adapters/spanner/overview-store.ts';
import { NOW } from '../example-sources.ts';

/** A partition's lineage as a table: ordered, read by range and limit, each read noted. */
function tableOf(rows: LineageRow[]) {
  const reads: { fromOffset: bigint; rows: number }[] = [];
  const readAt = (readAtMs: number): OverviewReader => ({
    readAtMs,
    lineage: async (_, { fromOffset, toOffset, limit }) => {
      const found = rows
        .filter((row) => row.fromOffset >= fromOffset && (toOffset === undefined || row.fromOffset < toOffset))
        .sort((a, b) => Number(a.fromOffset - b.fromOffset))
        .slice(0, limit);
      reads.push({ fromOffset, rows: found.length });
      return found;
    },
    checkpoints: async () => [],
    receipts: async () => [],
    deadLetters: async () => ({ letters: [], isMore: false }),
    deadLetterHeads: async () => [],
    epochs: async () => [],
    epoch: async () => undefined,
    shards: async () => [],
    rotations: async () => [],
    secretUsers: async () => [],
  });
  return { reads, readAt };
}

function commits(count: number, length: number, from = 0, everyMs = 1_000): LineageRow[] {
  return Array.from({ length: count }, (_, n) => ({
    fromOffset: BigInt(from + n * length),
    toOffset: BigInt(from + (n + 1) * length),
    rowCount: length,
    skippedCount: 0,
    deadCount: 0,
    committedAtMs: NOW - (count - n) * everyMs,
  }));
}

const checkpointAt = (next: number): CheckpointRow => ({
  pipeline: 'flights',
  topic: 'flights',
  partition: 0,
  nextOffset: BigInt(next),
  highWatermark: BigInt(next),
  owner: 'a',
  lastEventAtMs: undefined,
  updatedAtMs: NOW,
});

test('lineageReader() reads a short lineage whole, and then only what is new', async () => {
  const rows = commits(100, 10);
  const { reads, readAt } = tableOf(rows);
  const read = lineageReader();
  assert.equal((await read(readAt(NOW), checkpointAt(1_000)))?.commitCount, 100);
  rows.push(...commits(5, 10, 1_000));
  const summary = await read(readAt(NOW + 1_000), checkpointAt(1_050));
  assert.deepEqual([summary?.commitCount, summary?.fromOffset, summary?.toOffset], [105, 0n, 1_050n]);
  assert.deepEqual(
    reads.map(({ rows }) => rows),
    [100, 5],
  );
});

test('lineageReader() reads the end of a long lineage, and takes no cut for a gap', async () => {
  for (const length of [1, 3, 40, 5_000]) {
    const { reads, readAt } = tableOf(commits(9_000, length));
    const summary = await lineageReader()(readAt(NOW), checkpointAt(9_000 * length));
    assert.deepEqual([summary?.lostCount, summary?.doubledCount], [0n, 0n], `length ${length}`);
    assert.equal(summary?.toOffset, BigInt(9_000 * length));
    assert.ok((summary?.commitCount ?? 0) > 400, `length ${length}: ${summary?.commitCount} commits`);
    assert.ok(reads.reduce((sum, { rows }) => sum + rows, 0) <= 6_000);
  }
});

test('lineageReader() sees a commit that slipped in below what it knows, within a minute', async () => {
  const rows = commits(100, 10);
  const { readAt } = tableOf(rows);
  const read = lineageReader();
  await read(readAt(NOW), checkpointAt(1_000));
  rows.push(...commits(1, 10, 505));
  assert.equal((await read(readAt(NOW + 1_000), checkpointAt(1_000)))?.doubledCount, 0n);
  assert.equal((await read(readAt(NOW + 61_000), checkpointAt(1_000)))?.doubledCount, 10n);
});

test('lineageReader() catches up after a pause in which more was committed than one look reads', async () => {
  const rows = commits(100, 10);
  const { readAt } = tableOf(rows);
  const read = lineageReader();
  await read(readAt(NOW), checkpointAt(1_000));
  rows.push(...commits(8_000, 10, 1_000));
  const summary = await read(readAt(NOW + 1_000), checkpointAt(81_000));
  assert.deepEqual([summary?.toOffset, summary?.lostCount], [81_000n, 0n]);
});

test('lineageReader() knows nothing of a partition without commits', async () => {
  assert.equal(await lineageReader()(tableOf([]).readAt(NOW), checkpointAt(0)), undefined);
});
