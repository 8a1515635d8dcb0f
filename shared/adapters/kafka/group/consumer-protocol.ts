import type { TopicPartition } from '../driver.ts';
import { RequestWriter } from '../wire/request-writer.ts';
import { ResponseReader } from '../wire/response-reader.ts';

/** With the partitions that the member holds (1), and the generation in which it got them (2). */
const SUBSCRIPTION_VERSION = 2;
const ASSIGNMENT_VERSION = 0;
const NO_USER_DATA = -1;
const NO_GENERATION = -1;

/** What a member tells the group's leader. */
export interface MemberSubscription {
  readonly topics: readonly string[];
  readonly owned: readonly TopicPartition[];
  /** In which `owned` was assigned; -1 for never. */
  readonly generation: number;
}

/** Source: org.apache.kafka.clients.consumer.internals.ConsumerProtocol; KIP-429, KIP-792. */
export function writeSubscription({ topics, owned, generation }: MemberSubscription): Buffer {
  const writer = new RequestWriter().int16(SUBSCRIPTION_VERSION);
  writer.longArray(topics, (topic) => writer.shortText(topic)).int32(NO_USER_DATA);
  return writePartitions(writer, owned).int32(generation).bytes();
}

/** Reads what members of other clients write too; a version that we do not know begins like ours. */
export function readSubscription(bytes: Buffer): MemberSubscription {
  const reader = new ResponseReader(bytes);
  const version = reader.int16();
  const topics = reader.longArray(() => reader.shortText());
  reader.longData();
  const owned = version >= 1 ? readPartitions(reader) : [];
  const generation = version >= 2 ? reader.int32() : NO_GENERATION;
  return { topics, owned, generation };
}

export function writeAssignment(partitions: readonly TopicPartition[]): Buffer {
  return writePartitions(new RequestWriter().int16(ASSIGNMENT_VERSION), partitions).int32(NO_USER_DATA).bytes();
}

/** No bytes at all are no partitions. */
export function readAssignment(bytes: Buffer): readonly TopicPartition[] {
  if (bytes.length === 0) return [];
  const reader = new ResponseReader(bytes);
  reader.int16();
  return readPartitions(reader);
}

function writePartitions(writer: RequestWriter, partitions: readonly TopicPartition[]): RequestWriter {
  return writer.longArray([...Map.groupBy(partitions, ({ topic }) => topic)], ([topic, ofTopic]) => {
    writer.shortText(topic).longArray(ofTopic, ({ partition }) => writer.int32(partition));
  });
}

function readPartitions(reader: ResponseReader): TopicPartition[] {
  const topics = reader.longArray(() => {
    const topic = reader.shortText();
    return reader.longArray(() => ({ topic, partition: reader.int32() }));
  });
  return topics.flat();
}
