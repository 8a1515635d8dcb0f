import { deadLetterColumns } from '../events/records/dead-letter.ts';
import { deletedVersionsColumns, deletedVersionsTable } from '../events/resolve/deleted-versions.ts';
import type { TableUse } from './table-grants.ts';

/** The functions that have a database role of their own. */
export const roledFunctions = [
  'kafka-sink',
  'pubsub-sink',
  'plan-epoch',
  'read-shard',
  'rotate-secrets',
  'dashboard',
] as const;

export type RoledFunction = (typeof roledFunctions)[number];

const checkpoints = 'PenstockCheckpoints';
const checkpointKey = ['Pipeline', 'Topic', 'PartitionId'];
const checkpointColumns = [
  ...checkpointKey,
  ...['TopicId', 'NextOffset', 'Fence', 'Owner', 'HighWatermark', 'LastEventAt', 'UpdatedAt'],
];
const lineageCounts = ['FromOffset', 'ToOffset', 'RowCount', 'SkippedCount', 'DeadCount', 'CommittedAt'];
const lineageColumns = [...checkpointKey, ...lineageCounts, 'Fence', 'Identity'];
const epochs = 'PenstockEpochs';
/** What may be shown of an epoch. `Manifest` is not among it: it holds what transforms learned, of sensitive columns too. */
const epochShown = [
  'EpochId',
  'Feed',
  'State',
  'ReadTimestamp',
  'PlanDigest',
  'Outline',
  'ShardCount',
  'PlannedBy',
  'PlannedAt',
];
const epochEnd = ['RowCount', 'BatchCount', 'DeliveredAt', 'Error'];
const shards = 'PenstockShards';
const shardKey = ['EpochId', 'ShardId'];
const shardPlan = [...shardKey, 'State', 'KeyRange', 'Fence', 'RowCount', 'BatchCount', 'UpdatedAt'];
const shardLease = ['LeaseOwner', 'LeaseExpiresAt', 'Position', 'StartedAt'];

const rotations = 'PenstockRotations';
const rotationColumns = [
  ...['Secret', 'RotationId', 'Kind', 'Step', 'UnderWay', 'BaseVersion', 'FromVersion', 'ToVersion', 'Fence'],
  ...['LeaseOwner', 'LeaseExpiresAt', 'RequestedBy', 'Reason', 'StartedAt', 'UpdatedAt'],
  ...['FinishedAt', 'RetireAt', 'DestroyAt', 'FailedStep'],
];
/** Written by whoever goes by secrets that rotate. */
const secretUsers = 'PenstockSecretUsers';
const secretUserColumns = ['Secret', 'Holder', 'Version', 'SeenAt'];
const reportedUses: TableUse = { table: secretUsers, insert: secretUserColumns, update: secretUserColumns };
const approvals = 'PenstockApprovals';
const approvalDecision = ['ApprovalId', 'State', 'DecidedBy', 'DecidedAt', 'Reason'];
const approvalRun = ['ApprovalId', 'State', 'StartedAt', 'FinishedAt', 'Error'];
const approvalColumns = [
  ...approvalDecision,
  ...['Action', 'Resource', 'Content', 'Digest', 'RequestedBy', 'RequestedAt', 'ExpiresAt'],
  ...['StartedAt', 'FinishedAt', 'Error'],
];

/** Letters of the same id are replaced: deleted, and written anew. */
const deadLetters: TableUse = { table: 'PenstockDeadLetters', insert: deadLetterColumns, delete: true };

/**
 * What each function does with the control tables, column by column. A function that does more is refused by Spanner, and
 * by the laptop's: `test/e2e/database-roles.test.ts` runs each under its role.
 */
export const controlUses: Readonly<Record<RoledFunction, readonly TableUse[]>> = {
  'kafka-sink': [
    {
      table: checkpoints,
      select: [...checkpointKey, 'TopicId', 'NextOffset', 'Fence'],
      insert: checkpointColumns,
      update: checkpointColumns,
    },
    { table: 'PenstockLineage', insert: lineageColumns, update: lineageColumns },
    deadLetters,
    reportedUses,
  ],
  'pubsub-sink': [
    {
      table: 'PenstockReceipts',
      select: ['Pipeline', 'EventId', 'PayloadHash', 'ReceivedAt'],
      insert: ['Pipeline', 'EventId', 'PayloadHash', 'Outcome', 'ReceivedAt'],
      delete: true,
    },
    deadLetters,
    reportedUses,
  ],
  'plan-epoch': [
    { table: checkpoints, select: [...checkpointKey, 'TopicId', 'NextOffset'] },
    {
      table: epochs,
      select: ['EpochId', 'State', 'Manifest'],
      insert: [...epochShown, 'Manifest'],
      update: ['EpochId', 'State'],
    },
    { table: shards, select: [...shardKey, 'State'], insert: shardPlan },
    { table: approvals, select: approvalColumns, insert: approvalColumns, update: approvalRun },
  ],
  'read-shard': [
    { table: epochs, select: ['EpochId', 'State', 'Manifest'], update: ['EpochId', 'State', ...epochEnd] },
    {
      table: shards,
      select: [...shardKey, 'State', 'KeyRange', 'Fence', 'RowCount', 'BatchCount', ...shardLease],
      insert: shardPlan,
      update: [...shardPlan, ...shardLease, 'FinishedAt', 'Error'],
    },
  ],
  'rotate-secrets': [
    { table: rotations, select: rotationColumns, insert: rotationColumns, update: rotationColumns },
    { table: secretUsers, select: secretUserColumns },
  ],
  dashboard: [
    {
      table: rotations,
      select: [
        ...['Secret', 'RotationId', 'Kind', 'Step', 'FromVersion', 'ToVersion', 'Reason'],
        ...['StartedAt', 'UpdatedAt', 'FinishedAt', 'RetireAt', 'DestroyAt', 'FailedStep', 'RequestedBy'],
      ],
    },
    { ...reportedUses, select: secretUserColumns },
    {
      table: checkpoints,
      select: [...checkpointKey, 'NextOffset', 'Owner', 'HighWatermark', 'LastEventAt', 'UpdatedAt'],
    },
    { table: 'PenstockLineage', select: [...checkpointKey, ...lineageCounts] },
    { table: 'PenstockReceipts', select: ['Pipeline', 'Outcome', 'ReceivedAt'] },
    {
      table: 'PenstockDeadLetters',
      select: [
        ...['Pipeline', 'DeadLetterId', 'Part', 'Source', 'Topic', 'PartitionId', 'RecordOffset', 'EventId', 'Class'],
        ...['Reason', 'RecordKey', 'RecordValue', 'ValueBytes', 'RecordedAt', 'RedrivenAt'],
        'RedrivenBy',
      ],
    },
    { table: epochs, select: [...epochShown, ...epochEnd] },
    {
      table: shards,
      select: [
        ...[...shardKey, 'State', 'KeyRange', 'RowCount', 'BatchCount'],
        ...['LeaseExpiresAt', 'StartedAt', 'UpdatedAt', 'Error'],
      ],
    },
    { table: approvals, select: approvalColumns, update: approvalDecision },
  ],
};

/** What a pipeline with a version guard does with the versions of deleted rows. */
export const guardUse: TableUse = {
  table: deletedVersionsTable,
  select: deletedVersionsColumns,
  insert: [...deletedVersionsColumns, 'DeletedAt'],
  update: [...deletedVersionsColumns, 'DeletedAt'],
  delete: true,
};
