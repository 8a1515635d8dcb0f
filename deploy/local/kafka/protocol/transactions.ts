import { api } from './api.ts';
import { array, bool, int16, int32, int64, long, nullableString, since, string, struct } from './fields.ts';

const producer = { transactionalId: string, producerId: long, producerEpoch: int16 };
const FLEXIBLE_FROM = 3;

/** AddPartitionsToTxn, up to the last version that clients send. */
export const addPartitionsToTxn = api({
  key: 24,
  name: 'AddPartitionsToTxn',
  versions: [0, 3],
  flexibleFrom: FLEXIBLE_FROM,
  request: { ...producer, topics: array(struct({ name: string, partitions: array(int32) })) },
  response: {
    throttleTimeMs: int32,
    topics: array(struct({ name: string, partitions: array(struct({ partitionIndex: int32, errorCode: int16 })) })),
  },
});

/** AddOffsetsToTxn. */
export const addOffsetsToTxn = api({
  key: 25,
  name: 'AddOffsetsToTxn',
  versions: [0, 3],
  flexibleFrom: FLEXIBLE_FROM,
  request: { ...producer, groupId: string },
  response: { throttleTimeMs: int32, errorCode: int16 },
});

/** EndTxn. */
export const endTxn = api({
  key: 26,
  name: 'EndTxn',
  versions: [0, 3],
  flexibleFrom: FLEXIBLE_FROM,
  request: { ...producer, committed: bool },
  response: { throttleTimeMs: int32, errorCode: int16 },
});

/** TxnOffsetCommit: offsets that count when the transaction commits. */
export const txnOffsetCommit = api({
  key: 28,
  name: 'TxnOffsetCommit',
  versions: [0, 3],
  flexibleFrom: FLEXIBLE_FROM,
  request: {
    transactionalId: string,
    groupId: string,
    producerId: long,
    producerEpoch: int16,
    generationId: since(3, int32, -1),
    memberId: since(3, string, ''),
    groupInstanceId: since(3, nullableString, null),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            committedOffset: int64,
            committedLeaderEpoch: since(2, int32, -1),
            committedMetadata: nullableString,
          }),
        ),
      }),
    ),
  },
  response: {
    throttleTimeMs: int32,
    topics: array(struct({ name: string, partitions: array(struct({ partitionIndex: int32, errorCode: int16 })) })),
  },
});
