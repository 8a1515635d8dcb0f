import { alterConfigs, describeConfigs, incrementalAlterConfigs } from '../protocol/configs.ts';
import { fetch } from '../protocol/fetch.ts';
import { deleteGroups, describeGroups, listGroups } from '../protocol/group-admin.ts';
import { findCoordinator, heartbeat, joinGroup, leaveGroup, syncGroup } from '../protocol/groups.ts';
import { listOffsets, offsetForLeaderEpoch } from '../protocol/list-offsets.ts';
import { describeCluster, metadata } from '../protocol/metadata.ts';
import { offsetCommit, offsetDelete, offsetFetch } from '../protocol/offsets.ts';
import { produce } from '../protocol/produce.ts';
import { initProducerId } from '../protocol/producers.ts';
import { saslAuthenticate, saslHandshake } from '../protocol/sasl.ts';
import { alterUserScramCredentials, describeUserScramCredentials } from '../protocol/scram-credentials.ts';
import { createPartitions, createTopics, deleteRecords, deleteTopics } from '../protocol/topics.ts';
import { addOffsetsToTxn, addPartitionsToTxn, endTxn, txnOffsetCommit } from '../protocol/transactions.ts';
import { answerAlterConfigs, answerDescribeConfigs, answerIncrementalAlterConfigs } from './configs.ts';
import { answerFetch } from './fetch.ts';
import { answerDeleteGroups, answerDescribeGroups, answerListGroups } from './group-admin.ts';
import {
  answerFindCoordinator,
  answerHeartbeat,
  answerJoinGroup,
  answerLeaveGroup,
  answerSyncGroup,
} from './groups.ts';
import { answerListOffsets, answerOffsetForLeaderEpoch } from './list-offsets.ts';
import { answerDescribeCluster, answerMetadata } from './metadata.ts';
import { answerOffsetCommit, answerOffsetDelete, answerOffsetFetch } from './offsets.ts';
import { answerProduce } from './produce.ts';
import {
  answerAddOffsetsToTxn,
  answerAddPartitionsToTxn,
  answerEndTxn,
  answerInitProducerId,
  answerTxnOffsetCommit,
} from './producers.ts';
import { type Route, route } from './route.ts';
import { answerSaslAuthenticate, answerSaslHandshake } from './sasl.ts';
import { answerAlterUserScramCredentials, answerDescribeUserScramCredentials } from './scram-credentials.ts';
import { answerCreatePartitions, answerCreateTopics, answerDeleteRecords, answerDeleteTopics } from './topics.ts';

/** Every API that is served, and so advertised; ApiVersions itself is answered from this table. */
export const routes: readonly Route[] = [
  route(produce, answerProduce),
  route(fetch, answerFetch),
  route(listOffsets, answerListOffsets),
  route(offsetForLeaderEpoch, answerOffsetForLeaderEpoch),
  route(metadata, answerMetadata),
  route(describeCluster, answerDescribeCluster),
  route(findCoordinator, answerFindCoordinator),
  route(joinGroup, answerJoinGroup),
  route(syncGroup, answerSyncGroup),
  route(heartbeat, answerHeartbeat),
  route(leaveGroup, answerLeaveGroup),
  route(offsetCommit, answerOffsetCommit),
  route(offsetFetch, answerOffsetFetch),
  route(offsetDelete, answerOffsetDelete),
  route(describeGroups, answerDescribeGroups),
  route(listGroups, answerListGroups),
  route(deleteGroups, answerDeleteGroups),
  route(createTopics, answerCreateTopics),
  route(deleteTopics, answerDeleteTopics),
  route(createPartitions, answerCreatePartitions),
  route(deleteRecords, answerDeleteRecords),
  route(describeConfigs, answerDescribeConfigs),
  route(alterConfigs, answerAlterConfigs),
  route(incrementalAlterConfigs, answerIncrementalAlterConfigs),
  route(initProducerId, answerInitProducerId),
  route(addPartitionsToTxn, answerAddPartitionsToTxn),
  route(addOffsetsToTxn, answerAddOffsetsToTxn),
  route(endTxn, answerEndTxn),
  route(txnOffsetCommit, answerTxnOffsetCommit),
  route(saslHandshake, answerSaslHandshake),
  route(saslAuthenticate, answerSaslAuthenticate),
  route(describeUserScramCredentials, answerDescribeUserScramCredentials),
  route(alterUserScramCredentials, answerAlterUserScramCredentials),
];
