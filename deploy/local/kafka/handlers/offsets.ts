import type { Broker } from '../engine/broker.ts';
import type { Committed } from '../engine/committed-offsets.ts';
import type { RequestOf, ResponseOf } from '../protocol/api.ts';
import { type ErrorCode, errorCode } from '../protocol/error-code.ts';
import type { offsetCommit, offsetDelete, offsetFetch } from '../protocol/offsets.ts';
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
  if (version < 8)
    return {
      topics: fetchTopics(broker, request.groupId, request.topics, request.requireStable),
      errorCode: errorCode.none,
    };
  const groups = request.groups.map(({ groupId, topics }) => ({
    groupId,
    topics: fetchTopics(broker, groupId, topics, request.requireStable),
    errorCode: errorCode.none,
  }));
  return { groups };
}

/** Answers OffsetDelete: not for a topic that members of the group may be reading. */
export function answerOffsetDelete(
  { groupId, topics }: RequestOf<typeof offsetDelete>,
  { broker }: Call,
): ResponseOf<typeof offsetDelete> {
  const group = broker.groups.find(groupId);
  if (!group && broker.offsets.topicsOf(groupId).size === 0) {
    return { errorCode: errorCode.groupIdNotFound, throttleTimeMs: 0, topics: [] };
  }
  const active = group !== undefined && group.describe().length > 0;
  const results = topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => {
      if (active) return { partitionIndex, errorCode: errorCode.groupSubscribedToTopic };
      broker.offsets.deletePartition(groupId, name, partitionIndex);
      return { partitionIndex, errorCode: errorCode.none };
    }),
  }));
  return { errorCode: errorCode.none, throttleTimeMs: 0, topics: results };
}

/** Whether the caller may commit now. */
export function refuseCommit(
  broker: Broker,
  groupId: string,
  caller: { memberId: string; instanceId: string | null; generation: number },
): ErrorCode {
  const refusal = broker.groups.refuse(groupId);
  if (refusal !== errorCode.none) return refusal;
  if (!broker.groups.find(groupId) && caller.generation >= 0) return errorCode.illegalGeneration;
  return broker.groups.act(groupId, (group, now) => group.mayCommit(caller, now));
}

function fetchTopics(broker: Broker, groupId: string, wanted: WantedTopics, stable: boolean): FetchedTopic[] {
  const all = broker.offsets.topicsOf(groupId);
  const topics = wanted ?? [...all].map(([name, partitions]) => ({ name, partitionIndexes: [...partitions.keys()] }));
  return topics.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => {
      if (stable && broker.transactions.isHeldBack(groupId, name, partitionIndex)) {
        const code = errorCode.unstableOffsetCommit;
        return { partitionIndex, committedOffset: -1n, metadata: '', errorCode: code };
      }
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
