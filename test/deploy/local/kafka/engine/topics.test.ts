import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Partition } from '../../../../../deploy/local/kafka/engine/partition.ts';
import { Topics } from '../../../../../deploy/local/kafka/engine/topics.ts';
import { StateStore } from '../../../../../deploy/local/kafka/storage/state-store.ts';
import { makeBatch } from '../make-batch.ts';

const HOUR_MS = 3_600_000;

suite('Topics', () => {
  const open = (): Topics => new Topics({ dir: undefined, store: new StateStore(undefined) });
  const produce = (partition: Partition | undefined, timestamp: number): void => {
    const options = { maxMessageBytes: 1_000_000, zstdAllowed: true, admit: () => {} };
    partition?.produce(makeBatch(1, 10, timestamp), options);
  };

  test('retain() drops what is older than each topic keeps, and nothing that is kept for ever or compacted', () => {
    const topics = open();
    const make = (name: string, config: Record<string, string>): Partition | undefined => {
      const partition = topics.create({ name, partitionCount: 1, config }).partitions[0];
      produce(partition, HOUR_MS);
      return partition;
    };
    const hour = make('hour', { 'retention.ms': String(HOUR_MS) });
    const others = [
      make('week', {}),
      make('forever', { 'retention.ms': '-1' }),
      make('compacted', { 'retention.ms': '1', 'cleanup.policy': 'compact' }),
    ];
    topics.retain(2 * HOUR_MS);
    assert.equal(hour?.log.startOffset, 0);
    topics.retain(2 * HOUR_MS + 1);
    assert.deepEqual([hour?.log.startOffset, hour?.highWatermark], [1, 1]);
    assert.deepEqual(
      others.map((partition) => partition?.log.startOffset),
      [0, 0, 0],
    );
  });

  test('create() refuses names, counts and settings that Kafka would refuse', () => {
    const topics = open();
    const create =
      (name: string, partitionCount: number, config = {}) =>
      () =>
        topics.create({ name, partitionCount, config });
    for (const name of ['', '.', '..', 'a b', 'x'.repeat(250), 'a/b']) assert.throws(create(name, 1), /not allowed/);
    assert.throws(create('t', 0), /at least 1/);
    assert.throws(create('t', 4001), /more than 4000/);
    assert.throws(create('t', 1, { 'retention.ms': '1.5' }), /retention\.ms cannot be "1\.5"/);
    assert.throws(create('t', 1, { 'no.such': '1' }), /Unknown topic setting no\.such/);
    create('t', 1)();
    assert.throws(create('t', 1), /already exists/);
  });
});
