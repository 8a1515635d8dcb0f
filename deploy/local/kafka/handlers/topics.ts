import type { Broker } from '../engine/broker.ts';
import { KafkaError } from '../engine/kafka-error.ts';
import { effectiveSetting, type TopicConfig, topicSettings } from '../engine/topic-config.ts';
import type { Topic } from '../engine/topics.ts';
import type { RequestOf, ResponseOf } from '../protocol/api.ts';
import { type ErrorCode, errorCode } from '../protocol/error-code.ts';
import { noTopicId } from '../protocol/metadata.ts';
import type { createPartitions, createTopics, deleteRecords, deleteTopics } from '../protocol/topics.ts';
import type { Call } from './route.ts';

const HIGH_WATERMARK = -1;
/** Where a setting's value comes from: the topic, or Kafka's default. */
export const configSource = { topic: 1, fallback: 5 } as const;

type NewTopic = RequestOf<typeof createTopics>['topics'][number];
type CreateAnswer = ResponseOf<typeof createTopics>['topics'][number];
type DeleteAnswer = ResponseOf<typeof deleteTopics>['topics'][number];

/** Answers CreateTopics, each topic for itself. */
export function answerCreateTopics(
  { topics, validateOnly }: RequestOf<typeof createTopics>,
  { broker }: Call,
): ResponseOf<typeof createTopics> {
  return { throttleTimeMs: 0, topics: topics.map((topic) => create(broker, topic, validateOnly)) };
}

/** Answers DeleteTopics, by name or by id. */
export function answerDeleteTopics(
  request: RequestOf<typeof deleteTopics>,
  { broker, version }: Call,
): ResponseOf<typeof deleteTopics> {
  const wanted =
    version >= 6
      ? request.topics
      : request.topicNames.map((name) => ({ name: name as string | null, topicId: noTopicId }));
  const topics = wanted.map(({ name, topicId }): DeleteAnswer => {
    const topic = name === null ? broker.topics.withId(topicId) : broker.topics.named(name);
    if (!topic) {
      const code = name === null ? errorCode.unknownTopicId : errorCode.unknownTopicOrPartition;
      return { name, topicId, errorCode: code, errorMessage: `There is no topic ${name ?? topicId}` };
    }
    broker.topics.delete(topic);
    broker.offsets.deleteTopic(topic.name);
    return { name: topic.name, topicId: topic.id, errorCode: errorCode.none };
  });
  return { throttleTimeMs: 0, topics };
}

/** Answers CreatePartitions. */
export function answerCreatePartitions(
  { topics, validateOnly }: RequestOf<typeof createPartitions>,
  { broker }: Call,
): ResponseOf<typeof createPartitions> {
  const results = topics.map(({ name, count }) => ({
    name,
    ...attempt(() => broker.topics.grow(existing(broker, name), count, { validateOnly })),
  }));
  return { throttleTimeMs: 0, results };
}

/** Answers DeleteRecords. */
export function answerDeleteRecords(
  request: RequestOf<typeof deleteRecords>,
  { broker }: Call,
): ResponseOf<typeof deleteRecords> {
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, offset }) => {
      const topic = broker.topics.named(name);
      const partition = topic?.partitions[partitionIndex];
      if (!topic || !partition) {
        return { partitionIndex, lowWatermark: -1, errorCode: errorCode.unknownTopicOrPartition };
      }
      const target = offset === HIGH_WATERMARK ? partition.highWatermark : offset;
      if (target < 0 || target > partition.highWatermark) {
        return { partitionIndex, lowWatermark: -1, errorCode: errorCode.offsetOutOfRange };
      }
      broker.topics.deleteRecords(topic, partition, target);
      return { partitionIndex, lowWatermark: partition.log.startOffset, errorCode: errorCode.none };
    }),
  }));
  return { throttleTimeMs: 0, topics };
}

function create(broker: Broker, topic: NewTopic, validateOnly: boolean): CreateAnswer {
  const { name } = topic;
  try {
    checkReplicas(topic);
    const config = Object.fromEntries(
      topic.configs.flatMap(({ name, value }) => (value === null ? [] : [[name, value]])),
    );
    const assigned = topic.assignments.length;
    const wanted = topic.numPartitions === -1 ? broker.defaultPartitions : topic.numPartitions;
    const options = { name, partitionCount: assigned || wanted, config };
    if (validateOnly) broker.topics.checkNew(options);
    const created = validateOnly ? undefined : broker.topics.create(options);
    return {
      name,
      topicId: created?.id,
      errorCode: errorCode.none,
      errorMessage: null,
      numPartitions: options.partitionCount,
      replicationFactor: 1,
      configs: describeSettings(config),
    };
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    return { name, errorCode: error.code, errorMessage: error.message };
  }
}

function checkReplicas({ replicationFactor, assignments }: NewTopic): void {
  if (assignments.some(({ brokerIds }) => brokerIds.length !== 1 || brokerIds[0] !== 1)) {
    throw new KafkaError(errorCode.invalidReplicaAssignment, 'This broker is the only one: assign each partition to 1');
  }
  if (replicationFactor !== -1 && replicationFactor !== 1) {
    const message = `Replication factor ${replicationFactor} is more than the one broker there is: use 1`;
    throw new KafkaError(errorCode.invalidReplicationFactor, message);
  }
}

function describeSettings(config: TopicConfig): NonNullable<CreateAnswer['configs']> {
  return Object.keys(topicSettings).map((name) => ({
    name,
    value: effectiveSetting(config, name),
    readOnly: false,
    configSource: name in config ? configSource.topic : configSource.fallback,
    isSensitive: false,
  }));
}

function existing(broker: Broker, name: string): Topic {
  const topic = broker.topics.named(name);
  if (!topic) throw new KafkaError(errorCode.unknownTopicOrPartition, `There is no topic ${name}`);
  return topic;
}

function attempt(action: () => void): { errorCode: ErrorCode; errorMessage: string | null } {
  try {
    action();
    return { errorCode: errorCode.none, errorMessage: null };
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    return { errorCode: error.code, errorMessage: error.message };
  }
}
