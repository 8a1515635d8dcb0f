import { KafkaError } from '../engine/kafka-error.ts';
import { firstAtOrAfter, latestInTime } from '../engine/offset-by-time.ts';
import { LEADER_EPOCH, type Partition } from '../engine/partition.ts';
import type { RequestOf, ResponseOf } from '../protocol/api.ts';
import { type ErrorCode, errorCode } from '../protocol/error-code.ts';
import { type listOffsets, listOffsetsTimestamp, type offsetForLeaderEpoch } from '../protocol/list-offsets.ts';
import type { RecordTime } from '../storage/record-times.ts';
import { checkLeaderEpoch } from './leader-epoch.ts';
import type { Call } from './route.ts';

const READ_COMMITTED = 1;
const nothing: RecordTime = { timestamp: -1, offset: -1 };

type PartitionAnswer = ResponseOf<typeof listOffsets>['topics'][number]['partitions'][number];

/** Answers ListOffsets. */
export function answerListOffsets(
  request: RequestOf<typeof listOffsets>,
  { broker }: Call,
): ResponseOf<typeof listOffsets> {
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, currentLeaderEpoch, timestamp }): PartitionAnswer => {
      const partition = broker.topics.named(name)?.partitions[partitionIndex];
      if (!partition) return refused(partitionIndex, errorCode.unknownTopicOrPartition);
      const error = checkLeaderEpoch(currentLeaderEpoch);
      if (error !== errorCode.none) return refused(partitionIndex, error);
      try {
        const found = find(partition, timestamp, request.isolationLevel === READ_COMMITTED) ?? nothing;
        return { partitionIndex, errorCode: errorCode.none, ...found, leaderEpoch: LEADER_EPOCH };
      } catch (error) {
        if (error instanceof KafkaError) return refused(partitionIndex, error.code);
        throw error;
      }
    }),
  }));
  return { topics };
}

/** Answers OffsetForLeaderEpoch: the one epoch ends where the log ends. */
export function answerOffsetForLeaderEpoch(
  request: RequestOf<typeof offsetForLeaderEpoch>,
  { broker }: Call,
): ResponseOf<typeof offsetForLeaderEpoch> {
  const topics = request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition: index, currentLeaderEpoch, leaderEpoch }) => {
      const partition = broker.topics.named(topic)?.partitions[index];
      const error = partition ? checkLeaderEpoch(currentLeaderEpoch) : errorCode.unknownTopicOrPartition;
      const known = error === errorCode.none && leaderEpoch === LEADER_EPOCH;
      return {
        errorCode: error,
        partition: index,
        leaderEpoch: known ? LEADER_EPOCH : -1,
        endOffset: known ? (partition?.highWatermark ?? -1) : -1,
      };
    }),
  }));
  return { throttleTimeMs: 0, topics };
}

function find(partition: Partition, timestamp: number, committed: boolean): RecordTime | undefined {
  const end = committed ? partition.lastStableOffset : partition.highWatermark;
  if (timestamp === listOffsetsTimestamp.latest) return { timestamp: -1, offset: end };
  if (timestamp === listOffsetsTimestamp.earliest) return { timestamp: -1, offset: partition.log.startOffset };
  if (timestamp === listOffsetsTimestamp.maxTimestamp) return latestInTime(partition, end);
  if (timestamp < 0) throw new KafkaError(errorCode.invalidRequest, `Timestamp ${timestamp} has no meaning here`);
  return firstAtOrAfter(partition, timestamp, end);
}

function refused(partitionIndex: number, code: ErrorCode): PartitionAnswer {
  return { partitionIndex, errorCode: code, timestamp: -1, offset: -1 };
}
