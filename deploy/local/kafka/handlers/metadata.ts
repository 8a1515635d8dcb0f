import { type Broker, NODE_ID } from '../engine/broker.ts';
import { KafkaError } from '../engine/kafka-error.ts';
import { LEADER_EPOCH } from '../engine/partition.ts';
import type { Topic } from '../engine/topics.ts';
import type { RequestOf, ResponseOf } from '../protocol/api.ts';
import { errorCode } from '../protocol/error-code.ts';
import { type describeCluster, type metadata, noTopicId } from '../protocol/metadata.ts';
import type { Call } from './route.ts';

type Wanted = NonNullable<RequestOf<typeof metadata>['topics']>[number];
type TopicAnswer = ResponseOf<typeof metadata>['topics'][number];

/** Answers Metadata: all topics, or those named, or those with an id. */
export function answerMetadata(
  request: RequestOf<typeof metadata>,
  { broker, version, advertised }: Call,
): ResponseOf<typeof metadata> {
  const all = request.topics === null || (version === 0 && request.topics.length === 0);
  const mayCreate = request.allowAutoTopicCreation && broker.autoCreateTopics;
  return {
    brokers: [{ nodeId: NODE_ID, ...advertised, rack: null }],
    clusterId: broker.clusterId,
    controllerId: NODE_ID,
    topics: all
      ? broker.topics.all().map(describeTopic)
      : (request.topics ?? []).map((wanted) => answerTopic(broker, wanted, mayCreate)),
  };
}

/** Answers DescribeCluster. */
export function answerDescribeCluster(
  request: RequestOf<typeof describeCluster>,
  { broker, advertised }: Call,
): ResponseOf<typeof describeCluster> {
  const brokersAsked = request.endpointType === 1;
  return {
    throttleTimeMs: 0,
    errorCode: brokersAsked ? errorCode.none : errorCode.invalidRequest,
    errorMessage: brokersAsked ? null : `Endpoint type ${request.endpointType} is not served: ask for brokers (1)`,
    endpointType: request.endpointType,
    clusterId: broker.clusterId,
    controllerId: NODE_ID,
    brokers: [{ brokerId: NODE_ID, ...advertised, rack: null }],
  };
}

function answerTopic(broker: Broker, { name, topicId }: Wanted, mayCreate: boolean): TopicAnswer {
  if (name === null) {
    const topic = topicId === noTopicId ? undefined : broker.topics.withId(topicId);
    return topic ? describeTopic(topic) : missing(null, topicId, errorCode.unknownTopicId);
  }
  const topic = broker.topics.named(name);
  if (topic) return describeTopic(topic);
  if (!mayCreate) return missing(name, noTopicId, errorCode.unknownTopicOrPartition);
  try {
    return describeTopic(broker.topics.create({ name, partitionCount: broker.defaultPartitions, config: {} }));
  } catch (error) {
    if (error instanceof KafkaError) return missing(name, noTopicId, error.code);
    throw error;
  }
}

function describeTopic({ id, name, partitions }: Topic): TopicAnswer {
  return {
    errorCode: errorCode.none,
    name,
    topicId: id,
    isInternal: false,
    partitions: partitions.map(({ index }) => ({
      errorCode: errorCode.none,
      partitionIndex: index,
      leaderId: NODE_ID,
      leaderEpoch: LEADER_EPOCH,
      replicaNodes: [NODE_ID],
      isrNodes: [NODE_ID],
      offlineReplicas: [],
    })),
  };
}

function missing(name: string | null, topicId: string, code: number): TopicAnswer {
  return { errorCode: code, name, topicId, isInternal: false, partitions: [] };
}
