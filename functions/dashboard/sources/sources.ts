import type { PartitionEnd } from '../../../shared/adapters/kafka/end-offsets.ts';
import type {
  CheckpointRow,
  DeadLetterHead,
  DeadLetterRow,
  EpochRow,
  ReceiptRow,
  RotationRow,
  ShardRow,
} from '../../../shared/adapters/spanner/overview-store.ts';
import type { Approval } from '../../../shared/model/approvals/approval.ts';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import type { SecretUser } from '../../../shared/model/rotation/last-users.ts';
import type { LagHistory } from '../view/lag-history.ts';
import type { LineageSummary } from '../view/lineage.ts';
import type { TrainerProgress } from './trainer-progress.ts';

/** Everything that one page is made of: what the control tables, the brokers and the trainer said at one moment. */
export interface Sources {
  readonly asOfMs: number;
  readonly declaration: Declaration;
  readonly pipelines: ReadonlyMap<string, PipelineSource>;
  /** All feeds' epochs, newest first. */
  readonly epochs: readonly EpochRow[];
  /** Shards of the newest epoch. */
  readonly shards: readonly ShardRow[];
  /** What the trainer says of the newest epoch; undefined when it did not say. */
  readonly trainer: TrainerProgress | undefined;
  readonly deadLetterHeads: readonly DeadLetterHead[];
  /** Requests for a second person, newest first. */
  readonly approvals: readonly Approval[];
  /** By name, of every declared secret. */
  readonly secrets: ReadonlyMap<string, SecretSource>;
  readonly lagHistory: LagHistory;
  /** Steps a second of the trainer since it was asked before. */
  readonly stepsPerSecond: number | undefined;
}

export interface PipelineSource {
  readonly checkpoints: readonly CheckpointRow[];
  /** By `topic/partition`. */
  readonly lineage: ReadonlyMap<string, LineageSummary>;
  /** Undefined when the brokers did not say. */
  readonly ends: readonly (PartitionEnd & { readonly topic: string })[] | undefined;
  readonly receipts: readonly ReceiptRow[];
  readonly receiptsAreMore: boolean;
  readonly deadLetters: readonly DeadLetterRow[];
  readonly deadLettersAreMore: boolean;
}

/** What the control tables say of a secret. */
export interface SecretSource {
  readonly rotations: readonly RotationRow[];
  readonly users: readonly SecretUser[];
}

/** The name under which a partition's lineage is kept. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
