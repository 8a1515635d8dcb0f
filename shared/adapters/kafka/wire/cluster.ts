import type { PartitionLog, TopicState } from '../driver.ts';
import type { KafkaAccess } from '../kafka-auth.ts';
import { BrokerError, BrokerUnreachableError, KafkaAuthError, kafkaCode } from '../kafka-errors.ts';
import { type BrokerConnection, openBrokerConnection } from './broker-connection.ts';
import { askOffsets, askOldestTimes } from './list-offsets.ts';
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
  /** When the oldest record that each partition still has happened, in milliseconds since 1970; those without records are left out. */
  oldestTimes(topic: string): Promise<ReadonlyMap<number, number>>;
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
    async oldestTimes(topic) {
      const found = (await metadata([topic])).topics.get(topic);
      const times = found && (await askLeaders(found, (node) => connect(node, 'questions'), askOldestTimes));
      return new Map(times?.flatMap((ofLeader) => [...ofLeader]));
    },
    close() {
      closing.abort();
      // A session that waits to be renewed has a timer.
      for (const opening of connections.values()) opening.then((open) => open.close()).catch(() => {});
    },
  };
}

type Connect = (node: number) => Promise<BrokerConnection>;

/** Asks each leader of a topic for all of its partitions at once. */
async function askLeaders<T>(
  { topic, partitions }: TopicMetadata,
  connect: Connect,
  ask: (leader: BrokerConnection, topic: string, partitions: readonly number[]) => Promise<T>,
): Promise<T[]> {
  if (partitions.some(({ leader }) => leader < 0)) {
    throw new BrokerError(`Describing topic ${topic}`, kafkaCode.leaderNotAvailable);
  }
  const byLeader = Map.groupBy(partitions, ({ leader }) => leader);
  return await Promise.all(
    [...byLeader].map(async ([leader, led]) => {
      const numbers = led.map(({ partition }) => partition);
      return await ask(await connect(leader), topic, numbers);
    }),
  );
}

/** Where each partition's log begins and ends. */
async function logsOf(found: TopicMetadata, connect: Connect): Promise<PartitionLog[]> {
  const logs = await askLeaders(found, connect, async (leader, topic, partitions) => {
    const [earliest, end] = await Promise.all([
      askOffsets(leader, topic, { partitions, at: 'earliest' }),
      askOffsets(leader, topic, { partitions, at: 'latest' }),
    ]);
    return partitions.map((partition) => {
      return { partition, earliest: earliest.get(partition) ?? 0n, end: end.get(partition) ?? 0n };
    });
  });
  return logs.flat().sort((a, b) => a.partition - b.partition);
}
