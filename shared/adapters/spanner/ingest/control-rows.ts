import type { TableMutation } from '../../../model/events/resolve/change.ts';
import { commitTimestampCell } from '../../../model/events/values/cell.ts';
import { timestampOfMs } from '../../../model/events/values/timestamp.ts';
import type { PipelinePartition } from './checkpoint.ts';

/** What a commit leaves in PenstockCheckpoints. */
export interface CheckpointRow extends PipelinePartition {
  readonly topicId: string;
  readonly nextOffset: bigint;
  readonly fence: bigint;
  readonly owner: string;
  readonly highWatermark: bigint;
  readonly lastEventAtMs: number | undefined;
}

/** The moved checkpoint. */
export function checkpointMutation(row: CheckpointRow): TableMutation {
  const { lastEventAtMs } = row;
  const stamped = lastEventAtMs === undefined ? undefined : timestampOfMs(lastEventAtMs);
  return {
    operation: 'upsert',
    table: 'PenstockCheckpoints',
    columns: [
      'Pipeline',
      'Topic',
      'PartitionId',
      'TopicId',
      'NextOffset',
      'Fence',
      'Owner',
      'HighWatermark',
      'UpdatedAt',
      ...(stamped === undefined ? [] : ['LastEventAt']),
    ],
    rows: [
      [
        row.pipeline,
        row.topic,
        String(row.partition),
        row.topicId,
        String(row.nextOffset),
        String(row.fence),
        row.owner,
        String(row.highWatermark),
        commitTimestampCell,
        ...(stamped === undefined ? [] : [stamped]),
      ],
    ],
  };
}

/** What a commit leaves in PenstockLineage: the offsets `[fromOffset, toOffset)` and what became of them. */
export interface LineageRow extends PipelinePartition {
  readonly fromOffset: bigint;
  readonly toOffset: bigint;
  readonly rowCount: number;
  readonly skippedCount: number;
  readonly deadCount: number;
  readonly fence: bigint;
  readonly identity: string;
}

/** The lineage of one commit. */
export function lineageMutation(row: LineageRow): TableMutation {
  return {
    operation: 'upsert',
    table: 'PenstockLineage',
    columns: [
      'Pipeline',
      'Topic',
      'PartitionId',
      'FromOffset',
      'ToOffset',
      'RowCount',
      'SkippedCount',
      'DeadCount',
      'Fence',
      'Identity',
      'CommittedAt',
    ],
    rows: [
      [
        row.pipeline,
        row.topic,
        String(row.partition),
        String(row.fromOffset),
        String(row.toOffset),
        String(row.rowCount),
        String(row.skippedCount),
        String(row.deadCount),
        String(row.fence),
        row.identity,
        commitTimestampCell,
      ],
    ],
  };
}
