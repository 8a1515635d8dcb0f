import { kafkaCode, refuseCode } from '../kafka-errors.ts';
import { apis } from './apis.ts';
import type { BrokerConnection } from './broker-connection.ts';
import type { BrokerAddress } from './open-socket.ts';
import { RequestWriter } from './request-writer.ts';

const NO_TOPIC_ID = '00000000-0000-0000-0000-000000000000';

/** Who leads a partition. */
export interface PartitionLeader {
  readonly partition: number;
  /** A broker's node id; -1 while there is none. */
  readonly leader: number;
  readonly leaderEpoch: number;
}

/** One topic in the cluster's metadata. */
export interface TopicMetadata {
  readonly topic: string;
  readonly topicId: string;
  readonly isInternal: boolean;
  readonly partitions: readonly PartitionLeader[];
}

/** What a broker knows of its cluster. */
export interface ClusterMetadata {
  readonly brokers: ReadonlyMap<number, BrokerAddress>;
  /** By name; topics that were asked for and are not here do not exist. */
  readonly topics: ReadonlyMap<string, TopicMetadata>;
}

/**
 * Asks for brokers and topics; creates none.
 *
 * @param topics undefined: all of them
 * @throws {BrokerError} when the broker cannot describe one of them now
 */
export async function askMetadata(
  connection: BrokerConnection,
  topics: readonly string[] | undefined,
): Promise<ClusterMetadata> {
  const body = new RequestWriter();
  if (topics === undefined) body.varint(0);
  else body.array(topics, (topic) => body.uuid(NO_TOPIC_ID).nullableText(topic).noTags());
  body.int8(0).int8(0).noTags();
  const answer = await connection.ask(apis.metadata, body);
  answer.int32();
  const brokers = answer.array(() => {
    const broker = [answer.int32(), { host: answer.text(), port: answer.int32() }] as const;
    answer.nullableText();
    answer.tags();
    return broker;
  });
  answer.nullableText();
  answer.int32();
  const described = answer.array(() => {
    const code = answer.int16();
    const topic = answer.nullableText() ?? '';
    const topicId = answer.uuid();
    const isInternal = answer.bool();
    const partitions = answer.array((): PartitionLeader => {
      answer.int16();
      const leader = { partition: answer.int32(), leader: answer.int32(), leaderEpoch: answer.int32() };
      for (let list = 0; list < 3; list++) answer.array(() => answer.int32());
      answer.tags();
      return leader;
    });
    answer.int32();
    answer.tags();
    return { code, topic, topicId, isInternal, partitions: partitions.sort((a, b) => a.partition - b.partition) };
  });
  const found = described.filter(({ code }) => code !== kafkaCode.unknownTopicOrPartition);
  for (const { code, topic } of found) {
    // Without a leader for some partition the rest can still be used.
    if (code !== kafkaCode.leaderNotAvailable) refuseCode(code, `Describing topic ${topic}`);
  }
  return { brokers: new Map(brokers), topics: new Map(found.map((topic) => [topic.topic, topic])) };
}
