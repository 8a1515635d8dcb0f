import type { Broker } from '../engine/broker.ts';
import type { Committed } from '../engine/committed-offsets.ts';
import type { RequestOf, ResponseOf } from '../protocol/api.ts';
import { type ErrorCode, errorCode } from '../protocol/error-code.ts';
import type { offsetCommit, offsetFetch } from '../protocol/offsets.ts';
import type { Call } from './route.ts';

const MAX_METADATA_BYTES = 4096;
const NOT_COMMITTED: Committed = { offset: -1n, leaderEpoch: -1, metadata: '' };

type FetchedTopic = NonNullable<ResponseOf<typeof offsetFetch>['topics']>[number];
type WantedTopics = RequestOf<typeof offsetFetch>['topics'];

/** Answers OffsetCommit: a member of an old generation is refused. */
export function answerOffsetCommit(
  request: RequestOf<typeof offsetCommit>,
  { broker }: Call,
): ResponseOf<typeof offsetCommit> {
  const { groupId, memberId, generationId, groupInstanceId } = request;
  const caller = { memberId, instanceId: groupInstanceId, generation: generationId };
  const refusal = refuseCommit(broker, groupId, caller);
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata }) => {
      const known = broker.topics.named(name)?.partitions[partitionIndex] !== undefined;
      let error = refusal;
      if (error === errorCode.none && !known) error = errorCode.unknownTopicOrPartition;
      if (error === errorCode.none && Buffer.byteLength(committedMetadata ?? '') > MAX_METADATA_BYTES) {
        error = errorCode.offsetMetadataTooLarge;
      }
      if (error === errorCode.none) {
        const committed = { offset: committedOffset, leaderEpoch: committedLeaderEpoch, metadata: committedMetadata };
        broker.offsets.set(groupId, name, partitionIndex, committed);
      }
      return { partitionIndex, errorCode: error };
    }),
  }));
  return { topics };
}

/** Answers OffsetFetch: -1 where nothing was committed. */
export function answerOffsetFetch(
  request: RequestOf<typeof offsetFetch>,
  { broker, version }: Call,
): ResponseOf<typeof offsetFetch> {
  if (version < 8) return { topics: fetchTopics(broker, request.groupId, request.topics), errorCode: errorCode.none };
  const groups = request.groups.map(({ groupId, topics }) => ({
    groupId,
    topics: fetchTopics(broker, groupId, topics),
    errorCode: errorCode.none,
  }));
  return { groups };
}

function refuseCommit(
  broker: Broker,
  groupId: string,
  caller: { memberId: string; instanceId: string | null; generation: number },
): ErrorCode {
  if (groupId === '') return errorCode.invalidGroupId;
  if (!broker.groups.find(groupId) && caller.generation >= 0) return errorCode.illegalGeneration;
  return broker.groups.act(groupId, (group, now) => group.mayCommit(caller, now));
}

function fetchTopics(broker: Broker, groupId: string, wanted: WantedTopics): FetchedTopic[] {
  const all = broker.offsets.topicsOf(groupId);
  const topics = wanted ?? [...all].map(([name, partitions]) => ({ name, partitionIndexes: [...partitions.keys()] }));
  return topics.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => {
      const { offset, leaderEpoch, metadata } = all.get(name)?.get(partitionIndex) ?? NOT_COMMITTED;
      return {
        partitionIndex,
        committedOffset: offset,
        committedLeaderEpoch: leaderEpoch,
        metadata,
        errorCode: errorCode.none,
      };
    }),
  }));
}
