import { api } from './api.ts';
import {
  array,
  between,
  int8,
  int16,
  int32,
  long,
  nullableArray,
  records,
  since,
  string,
  struct,
  uuid,
} from './fields.ts';
import { noTopicId } from './metadata.ts';

const topicName = between(0, 12, string, '');
const topicId = since(13, uuid, noTopicId);

/** Fetch: topics by name up to version 12, by id from 13 on. */
export const fetch = api({
  key: 1,
  name: 'Fetch',
  versions: [4, 17],
  flexibleFrom: 12,
  request: {
    replicaId: between(0, 14, int32, -1),
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: int32,
    isolationLevel: int8,
    sessionId: since(7, int32, 0),
    sessionEpoch: since(7, int32, -1),
    topics: array(
      struct({
        topic: topicName,
        topicId,
        partitions: array(
          struct({
            partition: int32,
            currentLeaderEpoch: since(9, int32, -1),
            fetchOffset: long,
            lastFetchedEpoch: since(12, int32, -1),
            logStartOffset: since(5, long, -1),
            partitionMaxBytes: int32,
          }),
        ),
      }),
    ),
    forgottenTopics: since(7, array(struct({ topic: topicName, topicId, partitions: array(int32) })), []),
    rackId: since(11, string, ''),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: since(7, int16, 0),
    sessionId: since(7, int32, 0),
    topics: array(
      struct({
        topic: topicName,
        topicId,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            highWatermark: long,
            lastStableOffset: long,
            logStartOffset: since(5, long, -1),
            abortedTransactions: nullableArray(struct({ producerId: long, firstOffset: long })),
            preferredReadReplica: since(11, int32, -1),
            records,
          }),
        ),
      }),
    ),
  },
});
