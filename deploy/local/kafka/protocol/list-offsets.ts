import { api } from './api.ts';
import { array, int8, int16, int32, long, since, string, struct } from './fields.ts';

/** Timestamps in a ListOffsets request that are none. */
export const listOffsetsTimestamp = { latest: -1, earliest: -2, maxTimestamp: -3 } as const;

/** ListOffsets: the first, the last, or the first offset at or after a time. */
export const listOffsets = api({
  key: 2,
  name: 'ListOffsets',
  versions: [1, 7],
  flexibleFrom: 6,
  request: {
    replicaId: int32,
    isolationLevel: since(2, int8, 0),
    topics: array(
      struct({
        name: string,
        partitions: array(struct({ partitionIndex: int32, currentLeaderEpoch: since(4, int32, -1), timestamp: long })),
      }),
    ),
  },
  response: {
    throttleTimeMs: since(2, int32, 0),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            timestamp: long,
            offset: long,
            leaderEpoch: since(4, int32, -1),
          }),
        ),
      }),
    ),
  },
});

/** OffsetForLeaderEpoch: where an epoch ends. */
export const offsetForLeaderEpoch = api({
  key: 23,
  name: 'OffsetForLeaderEpoch',
  versions: [2, 4],
  flexibleFrom: 4,
  request: {
    replicaId: since(3, int32, -2),
    topics: array(
      struct({
        topic: string,
        partitions: array(struct({ partition: int32, currentLeaderEpoch: int32, leaderEpoch: int32 })),
      }),
    ),
  },
  response: {
    throttleTimeMs: int32,
    topics: array(
      struct({
        topic: string,
        partitions: array(struct({ errorCode: int16, partition: int32, leaderEpoch: int32, endOffset: long })),
      }),
    ),
  },
});
