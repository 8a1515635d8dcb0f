import { api } from './api.ts';
import {
  array,
  between,
  bool,
  int8,
  int16,
  int32,
  nullableArray,
  nullableString,
  since,
  string,
  struct,
  uuid,
} from './fields.ts';

/** The id of no topic: sixteen zero bytes. */
export const noTopicId = Buffer.alloc(16).toString('base64url');
/** What a broker answers when it was not asked for the authorized operations. */
export const operationsNotAsked = -(2 ** 31);

/** Metadata: the broker and its topics; by id from version 10 on. */
export const metadata = api({
  key: 3,
  name: 'Metadata',
  versions: [0, 12],
  flexibleFrom: 9,
  request: {
    topics: nullableArray(struct({ topicId: since(10, uuid, noTopicId), name: nullableString })),
    allowAutoTopicCreation: since(4, bool, true),
    includeClusterAuthorizedOperations: between(8, 10, bool, false),
    includeTopicAuthorizedOperations: since(8, bool, false),
  },
  response: {
    throttleTimeMs: since(3, int32, 0),
    brokers: array(struct({ nodeId: int32, host: string, port: int32, rack: since(1, nullableString, null) })),
    clusterId: since(2, nullableString, null),
    controllerId: since(1, int32, -1),
    topics: array(
      struct({
        errorCode: int16,
        name: nullableString,
        topicId: since(10, uuid, noTopicId),
        isInternal: since(1, bool, false),
        partitions: array(
          struct({
            errorCode: int16,
            partitionIndex: int32,
            leaderId: int32,
            leaderEpoch: since(7, int32, -1),
            replicaNodes: array(int32),
            isrNodes: array(int32),
            offlineReplicas: since(5, array(int32), []),
          }),
        ),
        topicAuthorizedOperations: since(8, int32, operationsNotAsked),
      }),
    ),
    clusterAuthorizedOperations: between(8, 10, int32, operationsNotAsked),
  },
});

/** DescribeCluster: the broker as an administrator asks for it. */
export const describeCluster = api({
  key: 60,
  name: 'DescribeCluster',
  versions: [0, 1],
  flexibleFrom: 0,
  request: { includeClusterAuthorizedOperations: bool, endpointType: since(1, int8, 1) },
  response: {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: nullableString,
    endpointType: since(1, int8, 1),
    clusterId: string,
    controllerId: int32,
    brokers: array(struct({ brokerId: int32, host: string, port: int32, rack: nullableString })),
    clusterAuthorizedOperations: since(0, int32, operationsNotAsked),
  },
});
