import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { UnreadableBatchError } from '../../../../../shared/adapters/kafka/kafka-errors.ts';
import {
  type AbortedTransaction,
  FetchedRecords,
} from '../../../../../shared/adapters/kafka/records/fetched-records.ts';
import type { WireRecord } from '../../../../../shared/adapters/kafka/records/wire-record.ts';
import { crc32c } from '../../../../../shared/base/crc32c.ts';
import { asSent, at, codecs, kafkajsBatch, platformaticBatch, type SentRecord, sentRecord } from './sent-records.ts';

const ALL = { records: 1_000_000, bytes: 1_000_000_000 };
const recentRecord = sentRecord.map((one) => ({ ...one, timestampMs: 1.7e12 + (one.timestampMs % 2e9) }));
const plain: SentRecord = { key: null, value: Buffer.from('v'), headers: [], timestampMs: 5 };

function fetched(bytes: Buffer, fetchedFrom = 0n, aborted: readonly AbortedTransaction[] = []): FetchedRecords {
  return new FetchedRecords({ topic: 't', partition: 7, bytes, fetchedFrom, aborted });
}

function readAll(source: FetchedRecords, limit = ALL): WireRecord[] {
  const records: WireRecord[] = [];
  let position = source.nextOffset;
  for (let slice = source.next(limit); slice; slice = source.next(limit)) {
    assert.equal(slice.fetchedFrom, position, 'slices follow each other');
    assert.ok(slice.records.length <= limit.records);
    position = slice.nextOffset;
    records.push(...slice.records);
  }
  return records;
}

/** Changes a sealed batch and seals it anew: a producer's fault, not one of the wire. */
function resealed(batch: Buffer, change: (bytes: Buffer) => void): Buffer {
  const changed = Buffer.from(batch);
  change(changed);
  changed.writeUInt32BE(crc32c(changed, 21), 17);
  return changed;
}

for (const [codec, name] of codecs.entries()) {
  test(`reads what kafkajs packed with ${name}, however it is sliced`, async () => {
    const property = fc.asyncProperty(
      fc.array(fc.array(sentRecord, { minLength: 1, maxLength: 20 }), { maxLength: 4 }),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 5_000 }),
      async (sent, records, bytes) => {
        let offset = 0;
        const batches: Buffer[] = [];
        for (const some of sent) {
          batches.push(at(BigInt(offset), await kafkajsBatch(some, codec)));
          offset += some.length;
        }
        const source = fetched(Buffer.concat(batches));
        assert.equal(source.endOffset, BigInt(offset));
        const read = readAll(source, { records, bytes });
        assert.deepEqual(read.map(asSent), sent.flat());
        assert.deepEqual(
          read.map((record) => record.offset),
          sent.flat().map((_, index) => BigInt(index)),
        );
        assert.equal(source.nextOffset, BigInt(offset));
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });

  test(`reads what @platformatic/kafka packed with ${name}, from any offset on`, () => {
    const property = fc.property(
      fc.array(recentRecord, { minLength: 1, maxLength: 30 }),
      fc.bigInt({ min: 0n, max: 2n ** 52n }),
      fc.nat(40),
      (sent, base, skipped) => {
        const bytes = at(base, platformaticBatch(sent, codec));
        const read = readAll(fetched(bytes, base + BigInt(skipped)));
        const wanted = sent.slice(skipped).map((one) => ({ ...one, value: one.value ?? Buffer.alloc(0) }));
        assert.deepEqual(read.map(asSent), wanted);
        if (wanted.length > 0) assert.equal(read[0]?.offset, base + BigInt(skipped));
      },
    );
    fc.assert(property, { numRuns: 60 });
  });
}

test('a batch that is cut short is left for the next fetch, at every length', async () => {
  const whole = await kafkajsBatch([plain, plain], 0);
  const second = at(2n, whole);
  for (let length = 0; length < second.length; length++) {
    const source = fetched(Buffer.concat([whole, second.subarray(0, length)]));
    assert.equal(source.endOffset, 2n);
    assert.equal(readAll(source).length, 2);
    assert.equal(source.nextOffset, 2n);
  }
});

test('10,000 answers with a few bytes changed: the records that were sent, fewer of them, or an error', async () => {
  const sent = Array.from(
    { length: 12 },
    (_, index): SentRecord => ({
      key: Buffer.from(`k${index}`),
      value: index % 5 === 0 ? null : Buffer.from(`value ${index} `.repeat(index)),
      headers: index % 3 === 0 ? [['h', Buffer.from('x')]] : [],
      timestampMs: 1_700_000_000_000 + index,
    }),
  );
  const batches = await Promise.all(codecs.map(async (_, codec) => kafkajsBatch(sent, codec)));
  const bytes = Buffer.concat(batches.map((batch, index) => at(BigInt(index * sent.length), batch)));
  const wanted = Array.from({ length: codecs.length }, () => sent).flat();
  let errors = 0;
  const byte = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
  const property = fc.property(fc.array(byte, { minLength: 1, maxLength: 4 }), fc.nat(bytes.length), (changes, cut) => {
    const changed = Buffer.from(bytes);
    for (const [position, value] of changes) changed[position] = value;
    const read: WireRecord[] = [];
    try {
      const source = fetched(cut % 2 === 0 ? changed : changed.subarray(0, cut));
      void source.endOffset;
      for (let slice = source.next(ALL); slice; slice = source.next(ALL)) read.push(...slice.records);
    } catch (error) {
      assert.ok(error instanceof UnreadableBatchError, String(error));
      assert.match(error.message, /t\/7/);
      errors += 1;
    }
    // A batch's offset is outside of its checksum: the records are right, and where they claim to be is the broker's word.
    const ours = new Set(wanted.map((one) => JSON.stringify(one)));
    for (const record of read) assert.ok(ours.has(JSON.stringify(asSent(record))));
    assert.ok(read.length <= wanted.length);
  });
  fc.assert(property, { numRuns: 10_000 });
  assert.ok(errors > 1_000, `${errors} of them were errors`);
});

test('10,000 batches whose sender is at fault: an error that names the offset, or records within bounds', async () => {
  const batches = await Promise.all(
    codecs.map((_, codec) =>
      kafkajsBatch(
        Array.from({ length: 9 }, () => plain),
        codec,
      ),
    ),
  );
  const change = fc.tuple(fc.nat(400), fc.nat(255));
  const property = fc.property(
    fc.constantFrom(...batches),
    fc.array(change, { minLength: 1, maxLength: 6 }),
    (batch, changes) => {
      const hostile = resealed(batch, (bytes) => {
        for (const [position, value] of changes) bytes[21 + (position % (bytes.length - 21))] = value;
      });
      try {
        const source = fetched(hostile);
        for (let slice = source.next(ALL); slice; slice = source.next(ALL)) {
          for (const record of slice.records) asSent(record);
        }
      } catch (error) {
        assert.ok(error instanceof UnreadableBatchError, String(error));
      }
    },
  );
  fc.assert(property, { numRuns: 10_000 });
});

test('records of aborted transactions and control records are left out, whatever lies between', async () => {
  const transactional = async (offset: bigint, producer: bigint): Promise<Buffer> =>
    resealed(at(offset, await kafkajsBatch([plain], 0)), (bytes) => {
      bytes.writeInt16BE(0x10, 21);
      bytes.writeBigInt64BE(producer, 43);
    });
  const marker = async (offset: bigint, producer: bigint, type: number): Promise<Buffer> => {
    const key = Buffer.from([0, 0, 0, type]);
    const batch = await kafkajsBatch([{ ...plain, key, value: Buffer.alloc(6) }], 0);
    return resealed(at(offset, batch), (bytes) => {
      bytes.writeInt16BE(0x30, 21);
      bytes.writeBigInt64BE(producer, 43);
    });
  };
  const log = [
    await transactional(0n, 1n),
    await transactional(1n, 2n),
    at(2n, await kafkajsBatch([plain], 0)),
    await marker(3n, 1n, 0),
    await transactional(4n, 1n),
    await marker(5n, 2n, 1),
    await transactional(6n, 2n),
    await marker(7n, 1n, 1),
    await marker(8n, 2n, 0),
    await transactional(9n, 2n),
  ];
  const aborted = [
    { producerId: 2n, firstOffset: 6n },
    { producerId: 1n, firstOffset: 0n },
  ];
  const source = fetched(Buffer.concat(log), 0n, aborted);
  assert.deepEqual(
    readAll(source).map(({ offset }) => offset),
    [1n, 2n, 4n, 9n],
  );
  assert.equal(source.nextOffset, 10n);
});

test('a compacted log keeps its offsets, and an empty batch moves the position', async () => {
  const [gap, empty] = await Promise.all([kafkajsBatch([plain, plain], 0), kafkajsBatch([], 0)]);
  const compacted = resealed(at(10n, gap), (bytes) => bytes.writeInt32BE(9, 23));
  const retained = resealed(at(20n, empty), (bytes) => bytes.writeInt32BE(4, 23));
  const source = fetched(Buffer.concat([compacted, retained]), 3n);
  assert.deepEqual(
    readAll(source).map(({ offset }) => offset),
    [10n, 11n],
  );
  assert.equal(source.nextOffset, 25n);
});

test('a log that stamps its records gives all of them the batch’s time', async () => {
  const stamped = resealed(await kafkajsBatch([plain, { ...plain, timestampMs: 9 }], 0), (bytes) => {
    bytes.writeInt16BE(0x08, 21);
    bytes.writeBigInt64BE(1_700_000_000_000n, 35);
  });
  assert.deepEqual(
    readAll(fetched(stamped)).map(({ timestampMs }) => timestampMs),
    [1.7e12, 1.7e12],
  );
});

test('what unpacks to more than 64 MiB is refused before its memory is taken', async () => {
  const zeros = Buffer.alloc(65 * 1024 * 1024);
  const head = (await kafkajsBatch([plain], 0)).subarray(0, 61);
  const packed: readonly (readonly [number, Buffer])[] = [
    [1, gzipSync(zeros)],
    [4, zstdCompressSync(zeros)],
    [2, Buffer.from([0xff, 0xff, 0xff, 0x7f, 0])],
    [3, lz4Bomb(zeros.length)],
  ];
  for (const [codec, bytes] of packed) {
    const batch = resealed(Buffer.concat([head, bytes]), (whole) => {
      whole.writeInt32BE(whole.length - 12, 8);
      whole.writeInt16BE(codec, 21);
    });
    const before = process.memoryUsage().rss;
    assert.throws(() => readAll(fetched(at(77n, batch))), /offset 77 of t\/7: its records cannot be unpacked/);
    assert.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024);
  }
});

/** An LZ4 frame of one zero, repeated. */
function lz4Bomb(length: number): Buffer {
  const repeat = Buffer.alloc(Math.ceil(length / 255), 255);
  const block = Buffer.concat([Buffer.from([0x1f, 0, 1, 0]), repeat, Buffer.from([0])]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(block.length);
  return Buffer.concat([Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x40, 0x70, 0]), size, block, Buffer.alloc(4)]);
}

test('an old format, and more records than there are bytes, are refused by name', async () => {
  const batch = await kafkajsBatch([plain], 0);
  const old = Buffer.from(batch);
  old.writeInt8(1, 16);
  assert.throws(() => readAll(fetched(old)), /its format is 1/);
  const many = resealed(batch, (bytes) => bytes.writeInt32BE(2 ** 31 - 1, 57));
  assert.throws(() => readAll(fetched(many)), /announces 2147483647 records/);
  const twice = resealed(await kafkajsBatch([plain, plain], 0), (bytes) => bytes.writeUInt8(0, bytes.length - 5));
  assert.throws(() => readAll(fetched(twice)), UnreadableBatchError);
});

test('crc32c() is the Castagnoli sum, at every length and place', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  const slow = (bytes: Uint8Array): number => {
    let sum = -1;
    for (const byte of bytes) {
      sum ^= byte;
      for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1;
    }
    return ~sum >>> 0;
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(10), (bytes, from) => {
      assert.equal(crc32c(bytes, from), slow(bytes.subarray(from)));
    }),
  );
});

test('what comes before an unreadable batch is read, and the batch is never passed over', async () => {
  const good = await kafkajsBatch([plain, plain], 0);
  const bad = at(2n, good);
  bad.writeUInt8((bad.at(-1) ?? 0) ^ 1, bad.length - 1);
  const source = fetched(Buffer.concat([good, bad, at(4n, good)]));
  const slice = source.next(ALL);
  assert.deepEqual([slice?.records.length, slice?.nextOffset], [2, 2n]);
  for (const _ of [1, 2, 3]) assert.throws(() => source.next(ALL), /offset 2 of t\/7: its checksum/);
  assert.equal(source.nextOffset, 2n);
});
