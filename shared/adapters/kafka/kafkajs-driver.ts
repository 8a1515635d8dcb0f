import type { Admin, Kafka } from 'kafkajs';
import type { Log } from '../../base/log.ts';
import { registerCompressionCodecs } from './compression-codecs.ts';
import type { KafkaDriver, PartitionLog, TopicState } from './driver.ts';
import { kafkajsClient } from './kafkajs-client.ts';
import { kafkajsLog } from './kafkajs-log.ts';
import { subscribe } from './kafkajs-subscription.ts';
import { openTopicIds, type TopicIds } from './topic-ids.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 30_000;
const RETRY = { retries: 3, initialRetryTime: 200, maxRetryTime: 2_000 };

/**
 * Opens Kafka through kafkajs. Nothing is sent before the first call.
 *
 * @param options.brokers `host:port` of some brokers
 */
export function openKafkajsDriver(options: {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly log: Log;
}): KafkaDriver {
  registerCompressionCodecs();
  const kafka = kafkajsClient({
    clientId: options.clientId,
    brokers: [...options.brokers],
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: RETRY,
    logCreator: kafkajsLog(options.log),
  });
  const ids = openTopicIds(options.brokers, options.clientId);
  const admin = sharedAdmin(kafka);
  return {
    topicId: (topic) => ids.read(topic),
    describeTopic: (topic) => describeTopic(topic, ids, admin),
    findTopics: async (source) => {
      const names = await admin.use((connected) => connected.listTopics());
      const wanted =
        source instanceof RegExp
          ? names.filter((name) => source.test(name))
          : names.filter((name) => source.includes(name));
      return wanted.sort();
    },
    subscribe: (wanted, handlers) => subscribe(kafka, wanted, handlers),
    async close() {
      await admin.close();
      await ids.close();
    },
  };
}

async function describeTopic(topic: string, ids: TopicIds, admin: SharedAdmin): Promise<TopicState | undefined> {
  const topicId = await ids.read(topic);
  if (topicId === undefined) return undefined;
  const offsets = await admin.use((connected) => connected.fetchTopicOffsets(topic));
  const partitions = offsets.map(
    ({ partition, low, high }): PartitionLog => ({ partition, earliest: BigInt(low), end: BigInt(high) }),
  );
  return { topicId, partitions: partitions.sort((a, b) => a.partition - b.partition) };
}

interface SharedAdmin {
  use<T>(work: (admin: Admin) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** One admin connection, made at the first use and again after a failure. */
function sharedAdmin(kafka: Kafka): SharedAdmin {
  let open: Promise<Admin> | undefined;
  const connect = async (): Promise<Admin> => {
    const admin = kafka.admin();
    await admin.connect();
    return admin;
  };
  const close = async (): Promise<void> => {
    const last = open;
    open = undefined;
    await (await last?.catch(() => undefined))?.disconnect().catch(() => {});
  };
  return {
    close,
    async use(work) {
      open ??= connect();
      try {
        return await work(await open);
      } catch (error) {
        await close();
        throw error;
      }
    },
  };
}
