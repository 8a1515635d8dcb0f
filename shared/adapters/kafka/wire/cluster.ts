import type { PartitionLog, TopicState } from '../driver.ts';
import type { KafkaAccess } from '../kafka-auth.ts';
import { BrokerError, BrokerUnreachableError, KafkaAuthError, kafkaCode } from '../kafka-errors.ts';
import { type BrokerConnection, openBrokerConnection } from './broker-connection.ts';
import { askOffsets } from './list-offsets.ts';
import { askMetadata, type ClusterMetadata, type TopicMetadata } from './metadata.ts';
import { type BrokerAddress, brokerAddress } from './open-socket.ts';

/** What a connection is for: answers to one purpose never wait behind another's. */
export type Purpose = 'questions' | 'fetch' | 'group';

/** The brokers of one cluster, with connections that are made when they are needed and made anew when they have ended. */
export interface Cluster {
  /** Asks any broker; the answer's addresses are kept for {@link connect}. */
  metadata(topics: readonly string[] | undefined): Promise<ClusterMetadata>;
  /** A connection to a node that metadata has named. */
  connect(node: number, purpose: Purpose): Promise<BrokerConnection>;
  connectTo(address: BrokerAddress, purpose: Purpose): Promise<BrokerConnection>;
  /** A connection to any broker. */
  any(): Promise<BrokerConnection>;
  describeTopic(topic: string): Promise<TopicState | undefined>;
  close(): void;
}

/** Opens the way to a cluster. Nothing is sent before the first call. */
export function openCluster(access: KafkaAccess, clientId: string): Cluster {
  const connections = new Map<string, Promise<BrokerConnection>>();
  let brokers: ReadonlyMap<number, BrokerAddress> = new Map();
  const closing = new AbortController();

  const connectTo = async (address: BrokerAddress, purpose: Purpose): Promise<BrokerConnection> => {
    const name = `${purpose} ${address.host}:${address.port}`;
    const held = connections.get(name);
    const known = await held?.catch(() => undefined);
    if (closing.signal.aborted) throw new BrokerUnreachableError('The Kafka driver was closed');
    if (known?.isOpen()) return known;
    const newer = connections.get(name);
    if (newer && newer !== held) return await newer;
    const opening = openBrokerConnection(address, access, clientId, closing.signal);
    connections.set(name, opening);
    opening.catch(() => connections.get(name) === opening && connections.delete(name));
    return await opening;
  };
  const any = async (): Promise<BrokerConnection> => {
    const failures: unknown[] = [];
    const learnt = [...brokers.values()];
    for (const address of [...access.brokers.map(brokerAddress), ...learnt]) {
      try {
        return await connectTo(address, 'questions');
      } catch (error) {
        // Other brokers know the same users.
        if (error instanceof KafkaAuthError) throw error;
        failures.push(error);
      }
    }
    throw new BrokerUnreachableError(`No broker of ${access.brokers.join(', ')} can be reached`, {
      cause: failures[0],
    });
  };
  const metadata = async (topics: readonly string[] | undefined): Promise<ClusterMetadata> => {
    const answer = await askMetadata(await any(), topics);
    brokers = answer.brokers;
    return answer;
  };
  const connect = async (node: number, purpose: Purpose): Promise<BrokerConnection> => {
    const address = brokers.get(node);
    if (!address) throw new BrokerUnreachableError(`No broker has node id ${node} now`);
    return await connectTo(address, purpose);
  };
  return {
    metadata,
    connect,
    connectTo,
    any,
    async describeTopic(topic) {
      const found = (await metadata([topic])).topics.get(topic);
      return found && { topicId: found.topicId, partitions: await logsOf(found, (node) => connect(node, 'questions')) };
    },
    close() {
      closing.abort();
      // A session that waits to be renewed has a timer.
      for (const opening of connections.values()) opening.then((open) => open.close()).catch(() => {});
    },
  };
}

/** Where each partition's log begins and ends; each leader is asked for all of its partitions at once. */
async function logsOf(
  { topic, partitions }: TopicMetadata,
  connect: (node: number) => Promise<BrokerConnection>,
): Promise<PartitionLog[]> {
  if (partitions.some(({ leader }) => leader < 0)) {
    throw new BrokerError(`Describing topic ${topic}`, kafkaCode.leaderNotAvailable);
  }
  const byLeader = Map.groupBy(partitions, ({ leader }) => leader);
  const logs = [...byLeader].map(async ([leader, led]) => {
    const connection = await connect(leader);
    const numbers = led.map(({ partition }) => partition);
    const [earliest, end] = await Promise.all([
      askOffsets(connection, topic, { partitions: numbers, at: 'earliest' }),
      askOffsets(connection, topic, { partitions: numbers, at: 'latest' }),
    ]);
    return numbers.map((partition) => ({
      partition,
      earliest: earliest.get(partition) ?? 0n,
      end: end.get(partition) ?? 0n,
    }));
  });
  return (await Promise.all(logs)).flat().sort((a, b) => a.partition - b.partition);
}
