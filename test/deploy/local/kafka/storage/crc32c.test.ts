import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c } from '../../../../../deploy/local/kafka/storage/crc32c.ts';

const kafkajsCrc: (bytes: Buffer) => number = createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/crc32C');

test('crc32c() gives the check value of its specification', () => {
  assert.equal(crc32c(Buffer.from('123456789'), 0, 9), 0xe3069283);
});

test('crc32c() agrees with the client on any slice of any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(20), (bytes, skipped) => {
      const from = Math.min(skipped, bytes.length);
      assert.equal(crc32c(bytes, from, bytes.length), kafkajsCrc(Buffer.from(bytes.subarray(from))));
    }),
  );
});
