import { PenstockError } from '../../../base/errors.ts';

/** One partition of one pipeline. */
export interface PipelinePartition {
  readonly pipeline: string;
  readonly topic: string;
  readonly partition: number;
}

/** Where a partition stands, as Spanner holds it. */
export interface Checkpoint {
  readonly topicId: string;
  readonly nextOffset: bigint;
  readonly fence: bigint;
}

/** Another worker owns this partition now: stop, write nothing. */
export class FencedError extends PenstockError {
  constructor(partition: PipelinePartition, ours: bigint, theirs: bigint) {
    super(`Cannot commit ${describePartition(partition)}: fence ${ours} was overtaken by ${theirs}`, {
      code: 'FENCED',
      remedy: 'Nothing to do: the newer owner continues from the same checkpoint',
      retryable: false,
    });
  }
}

/** The topic was deleted and made again: its offsets no longer mean what the checkpoint says. */
export class TopicRecreatedError extends PenstockError {
  constructor(partition: PipelinePartition, held: string, found: string) {
    super(
      `Cannot read ${describePartition(partition)}: the checkpoint is of topic id ${held}, but the topic's id is ${found}`,
      {
        code: 'TOPIC_RECREATED',
        remedy: `If the new topic is meant, move its rows of PenstockCheckpoints to its start: ${acceptCommand(partition)}`,
        retryable: false,
      },
    );
  }
}

/** Offsets between the checkpoint and the batch are not there: reading on would lose them silently. */
export class OffsetGapError extends PenstockError {
  constructor(partition: PipelinePartition, expected: bigint, found: bigint) {
    super(
      `Cannot read ${describePartition(partition)}: the checkpoint stands at offset ${expected}, but the log begins at ${found}`,
      {
        code: 'OFFSET_GAP',
        remedy: `Retention deleted records that were not read yet; to accept the loss: ${acceptCommand(partition)}`,
        retryable: false,
      },
    );
  }
}

function acceptCommand({ pipeline, topic }: PipelinePartition): string {
  return `npx penstock checkpoints accept ${pipeline} ${topic}`;
}

/** A partition as messages name it. */
export function describePartition({ pipeline, topic, partition }: PipelinePartition): string {
  return `partition ${partition} of topic ${topic} for pipeline ${pipeline}`;
}
