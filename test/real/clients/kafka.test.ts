import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compileJava } from './java-programs.ts';
import { openPenstockLocal, type PenstockLocal } from './penstock-local.ts';

let laptop: PenstockLocal;
before(async () => {
  laptop = await openPenstockLocal();
});
after(() => laptop.close());

test("Kafka's own Java client produces with every compression, shares a group and moves records in transactions", async () => {
  const program = compileJava('KafkaSteps');
  try {
    assert.deepEqual(await program.run(laptop.env), {
      partitions: 3,
      assigned: 3,
      isShared: true,
      consumed: { none: 300, gzip: 300, snappy: 300, lz4: 300, zstd: 300 },
      consumedOnce: 1_500,
      committed: 1_500,
      moved: { committed: 10 },
      committedWithTransaction: 10,
      topicsLeft: [],
    });
  } finally {
    program.close();
  }
});
