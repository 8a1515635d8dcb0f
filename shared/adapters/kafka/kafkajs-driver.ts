import type { Log } from '../../base/log.ts';
import { registerCompressionCodecs } from './compression-codecs.ts';
import type { KafkaDriver } from './driver.ts';
import { findPartitionCounts } from './group/group-topics.ts';
import type { KafkaAccess } from './kafka-auth.ts';
import { kafkajsAccess } from './kafkajs-access.ts';
import { kafkajsClient } from './kafkajs-client.ts';
import { kafkajsLog } from './kafkajs-log.ts';
import { subscribe } from './kafkajs-subscription.ts';
import { openCluster } from './wire/cluster.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 30_000;
const RETRY = { retries: 3, initialRetryTime: 200, maxRetryTime: 2_000 };

/**
 * Opens Kafka through kafkajs; what kafkajs cannot ask for, such as topic ids, goes over a connection of ours. Nothing is
 * sent before the first call.
 */
export function openKafkajsDriver(options: {
  readonly access: KafkaAccess;
  readonly clientId: string;
  readonly log: Log;
  /** How often topics are looked at for new partitions, in milliseconds. */
  readonly lookEveryMs?: number;
}): KafkaDriver {
  const { access, clientId, log, lookEveryMs } = options;
  registerCompressionCodecs();
  const cluster = openCluster(access, clientId);
  return {
    topicId: async (topic) => (await cluster.metadata([topic])).topics.get(topic)?.topicId,
    describeTopic: (topic) => cluster.describeTopic(topic),
    findTopics: async (source) => [...(await findPartitionCounts(cluster, source)).keys()],
    async subscribe(wanted, handlers) {
      const kafka = kafkajsClient({
        ...(await kafkajsAccess(access)),
        clientId,
        connectionTimeout: CONNECT_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        retry: RETRY,
        logCreator: kafkajsLog(log),
      });
      return await subscribe(kafka, wanted, handlers, lookEveryMs);
    },
    async close() {
      cluster.close();
    },
  };
}
