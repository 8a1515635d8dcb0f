import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  carryBreaks,
  foldLineage,
  type LineageSummary,
  rowsByMinute,
  rowsPerSecond,
} from '../../../../functions/dashboard/view/lineage.ts';
import type { LineageRow } from '../../../../shared/adapters/spanner/overview-store.ts';

const NOW = Date.UTC(2026, 10, 21, 6, 28, 29);

function commit(from: number, to: number, committedAtMs = NOW): LineageRow {
  const [fromOffset, toOffset] = [BigInt(from), BigInt(to)];
  return { fromOffset, toOffset, rowCount: to - from, skippedCount: 0, deadCount: 0, committedAtMs };
}

const commits = () =>
  fc
    .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 12 })), {
      selector: ([from]) => from,
      minLength: 1,
      maxLength: 20,
    })
    .map((pairs) => pairs.sort(([a], [b]) => a - b).map(([from, length]) => commit(from, from + length)));

function fold(rows: readonly LineageRow[], before?: LineageSummary): LineageSummary {
  const summary = foldLineage(before, rows);
  assert.ok(summary);
  return summary;
}

test('foldLineage() counts every offset that no commit covers as lost, and every further cover as doubled', () => {
  fc.assert(
    fc.property(commits(), (rows) => {
      const covers = new Map<number, number>();
      for (const { fromOffset, toOffset } of rows) {
        for (let offset = Number(fromOffset); offset < Number(toOffset); offset += 1) {
          covers.set(offset, (covers.get(offset) ?? 0) + 1);
        }
      }
      const summary = fold(rows);
      const span = Array.from(
        { length: Number(summary.toOffset - summary.fromOffset) },
        (_, n) => n + Number(summary.fromOffset),
      );
      const lost = span.filter((offset) => !covers.has(offset)).length;
      const doubled = [...covers.values()].reduce((sum, count) => sum + count - 1, 0);
      assert.deepEqual([summary.lostCount, summary.doubledCount], [BigInt(lost), BigInt(doubled)]);
    }),
  );
});

test('foldLineage() finds the same in parts as at once', () => {
  fc.assert(
    fc.property(commits(), fc.nat(20), (rows, cut) => {
      const whole = fold(rows);
      const inParts = foldLineage(foldLineage(undefined, rows.slice(0, cut)), rows.slice(cut));
      assert.deepEqual(inParts, whole);
    }),
  );
});

test('foldLineage() names a gap and an overlap by their offsets', () => {
  const summary = fold([commit(0, 10), commit(12, 20), commit(15, 18), commit(20, 25)]);
  assert.deepEqual(summary.breaks, [
    { kind: 'gap', fromOffset: 10n, toOffset: 12n },
    { kind: 'overlap', fromOffset: 15n, toOffset: 18n },
  ]);
  assert.deepEqual([summary.lostCount, summary.doubledCount, summary.toOffset], [2n, 3n, 25n]);
});

test('carryBreaks() keeps what was found before the part that was read again, and nothing twice', () => {
  const before = fold([commit(0, 10), commit(12, 20), commit(21, 30)]);
  const after = fold([commit(12, 20), commit(21, 30), commit(30, 40)]);
  const carried = carryBreaks(before, after);
  assert.equal(carried.lostCount, 3n);
  assert.deepEqual(
    carried.breaks.map(({ fromOffset }) => fromOffset),
    [10n, 20n],
  );
  assert.deepEqual(carryBreaks(undefined, after), after);
});

test('rowsPerSecond() is the mean since the first commit of the last minute', () => {
  const summary = fold([commit(0, 500, NOW - 90_000), commit(500, 800, NOW - 9_000), commit(800, 1_000, NOW)]);
  assert.equal(Math.round(rowsPerSecond([summary], NOW)), Math.round(500 / 9));
  assert.equal(rowsPerSecond([summary], NOW + 120_000), 0);
  assert.equal(rowsPerSecond([], NOW), 0);
});

test('rowsByMinute() puts rows into the minute of their commit, and leaves older ones out', () => {
  const summary = fold([commit(0, 5, NOW - 40 * 60_000), commit(5, 12, NOW - 60_000), commit(12, 22, NOW)]);
  const minutes = rowsByMinute([summary, summary], NOW);
  assert.equal(minutes.length, 30);
  assert.deepEqual(minutes.slice(-3), [0, 14, 20]);
  assert.equal(
    minutes.reduce((sum, rows) => sum + rows, 0),
    34,
  );
});

test('foldLineage() keeps only the last half hour of buckets, however long it runs', () => {
  const rows = Array.from({ length: 2_000 }, (_, n) => commit(n, n + 1, NOW + n * 10_000));
  assert.ok(fold(rows).buckets.size <= 187);
});
