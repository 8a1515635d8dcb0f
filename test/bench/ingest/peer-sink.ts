import { Spanner } from '@google-cloud/spanner';
import kafkajs from 'kafkajs';
import { peerRow } from './peer-row.ts';

const MIB = 1024 * 1024;

/**
 * The peer: an at-least-once sink as one writes it with kafkajs and the official client. It fetches as ours does, takes four
 * partitions at once, upserts each fetched batch, and commits its offsets afterwards.
 */
async function runPeerSink([database = '', topic = '', group = '']: readonly string[]): Promise<void> {
  const [, project = '', , instance = '', , id = ''] = database.split('/');
  const spanner = new Spanner({ projectId: project });
  const table = spanner.instance(instance).database(id).table('Flights');
  const kafka = new kafkajs.Kafka({
    clientId: 'peer',
    brokers: [process.env.KAFKA_BROKERS ?? ''],
    logLevel: kafkajs.logLevel.ERROR,
  });
  const consumer = kafka.consumer({
    groupId: group,
    maxBytes: 2 * MIB,
    maxBytesPerPartition: MIB / 2,
    maxWaitTimeInMs: 50,
  });
  process.on('SIGTERM', () => void consumer.disconnect().then(() => process.exit(0)));
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 4,
    eachBatch: async ({ batch, heartbeat }) => {
      await table.upsert(batch.messages.map(({ key, value }) => peerRow(key, value)));
      await heartbeat();
      const offset = String(BigInt(batch.lastOffset()) + 1n);
      await consumer.commitOffsets([{ topic, partition: batch.partition, offset }]);
    },
  });
}

await runPeerSink(process.argv.slice(2));
