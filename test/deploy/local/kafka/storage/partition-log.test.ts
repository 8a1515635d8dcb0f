import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import fc from 'fast-check';
import { PartitionLog } from '../../../../../deploy/local/kafka/storage/partition-log.ts';
import {
  BATCH_HEADER_BYTES,
  placeBatch,
  readBatchHeader,
} from '../../../../../deploy/local/kafka/storage/record-batch.ts';
import { makeBatch } from '../make-batch.ts';

const SEGMENT_BYTES = 10_000;

interface ModelBatch {
  readonly from: number;
  readonly to: number;
  readonly bytes: Buffer;
}

function append(log: PartitionLog, batch: Buffer): ModelBatch {
  const from = log.nextOffset;
  placeBatch(batch, from, 0);
  log.append(batch, readBatchHeader(batch));
  return { from, to: log.nextOffset, bytes: batch };
}

suite('PartitionLog', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'log-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const batches = fc.array(fc.record({ recordCount: fc.integer({ min: 1, max: 50 }), payloadBytes: fc.nat(6000) }), {
    maxLength: 40,
  });
  const reads = fc.array(fc.record({ at: fc.nat(1999), maxBytes: fc.nat(12_000) }), { minLength: 1, maxLength: 20 });

  /** What a log must give, by the model: whole batches from the one that holds the offset, within the bytes. */
  const expected = (model: readonly ModelBatch[], offset: number, maxBytes: number): Buffer => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    for (const batch of model.filter(({ to }) => to > offset)) {
      if (pieces.length > 0 && bytes + batch.bytes.length > maxBytes) break;
      if (pieces.length === 0 && maxBytes === 0) break;
      bytes += batch.bytes.length;
      pieces.push(batch.bytes);
      if (bytes >= maxBytes) break;
    }
    return Buffer.concat(pieces);
  };

  test('in memory begins a new segment before a buffer is large, and reads on over its end', () => {
    const log = new PartitionLog({});
    const written: ModelBatch[] = [];
    for (let count = 0; count < 12; count++) written.push(append(log, makeBatch(1, 1_000_000, 0)));
    const read = Buffer.concat(log.read(0, { maxBytes: 2 ** 30, below: log.nextOffset, firstWhatever: true }));
    assert.ok(read.equals(Buffer.concat(written.map(({ bytes }) => bytes))));
    log.deleteBefore(10);
    assert.ok(log.sizeBytes < 5_000_000, 'the segments below are gone');
  });

  for (const kind of ['memory', 'disk'] as const) {
    test(`gives what a list of batches would give, in ${kind}, before and after it was opened again`, () => {
      fc.assert(
        fc.property(batches, reads, (appended, wanted) => {
          const where = kind === 'memory' ? undefined : mkdtempSync(join(dir, 'run-'));
          let log = new PartitionLog({ dir: where, segmentBytes: SEGMENT_BYTES });
          const model = appended.map(({ recordCount, payloadBytes }) =>
            append(log, makeBatch(recordCount, payloadBytes, 0)),
          );
          const check = (): void => {
            for (const { at, maxBytes } of wanted) {
              const offset = log.nextOffset === 0 ? 0 : at % log.nextOffset;
              const got = log.read(offset, { maxBytes, below: log.nextOffset, firstWhatever: true });
              assert.ok(
                Buffer.concat(got).equals(expected(model, offset, maxBytes)),
                `${maxBytes} bytes from ${offset}`,
              );
            }
          };
          check();
          log.close();
          if (where !== undefined) {
            const seen: number[] = [];
            const replay = ({ header }: { header: { baseOffset: number } }) => seen.push(header.baseOffset);
            log = new PartitionLog({ dir: where, segmentBytes: SEGMENT_BYTES, replay });
            assert.deepEqual(
              seen,
              model.map(({ from }) => from),
            );
            check();
            log.close();
          }
        }),
        { numRuns: 60 },
      );
    });
  }

  test('cuts off a torn tail and a last batch whose bytes were damaged, and appends after what is whole', () => {
    let log = new PartitionLog({ dir });
    const whole = append(log, makeBatch(3, 100, 0));
    const torn = append(log, makeBatch(2, 100, 0));
    log.close();
    const file = join(dir, readdirSync(dir)[0] ?? '');
    truncateSync(file, whole.bytes.length + torn.bytes.length - 1);
    log = new PartitionLog({ dir });
    assert.equal(log.nextOffset, 3);
    assert.equal(append(log, makeBatch(1, 10, 0)).from, 3);
    log.close();
    const damaged = makeBatch(1, 50, 0);
    placeBatch(damaged, 4, 0);
    damaged[100] = (damaged[100] ?? 0) ^ 1;
    appendFileSync(file, damaged);
    log = new PartitionLog({ dir });
    assert.deepEqual([log.nextOffset, log.sizeBytes], [4, whole.bytes.length + BATCH_HEADER_BYTES + 10]);
    log.close();
  });

  test('drops old segments by time and by offset, and takes up its offsets again after all were dropped', () => {
    let log = new PartitionLog({ dir, segmentBytes: 300 });
    for (let time = 1; time <= 5; time++) append(log, makeBatch(10, 200, time));
    log.deleteOlderThan(3);
    assert.deepEqual([log.startOffset, readdirSync(dir).length], [20, 3]);
    log.deleteBefore(35);
    assert.deepEqual([log.startOffset, readdirSync(dir).length], [35, 2]);
    log.deleteOlderThan(100);
    assert.deepEqual([log.startOffset, log.nextOffset, log.sizeBytes], [50, 50, 0]);
    log.close();
    log = new PartitionLog({ dir, startOffset: 35 });
    assert.deepEqual([log.startOffset, log.nextOffset], [50, 50]);
    log.close();
  });
});
