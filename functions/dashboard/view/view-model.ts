import type { RotationStep } from '../../../shared/model/rotation/rotation.ts';
import type { PreviousVersion, RotationResult } from '../../../shared/model/rotation/secret-standing.ts';
import type { ApprovalView } from './approval-view.ts';

/**
 * What the page shows and the API answers: plain data, counts as numbers, offsets as text because JSON's numbers end
 * at 2^53, times in milliseconds since 1970 unless named otherwise.
 */
export type Health = 'ok' | 'idle' | 'warn' | 'bad' | 'unknown';

export interface Overview {
  readonly asOf: string;
  readonly database: string;
  readonly verdict: { readonly health: Health; readonly title: string; readonly detail: string };
  readonly stages: readonly Stage[];
  readonly needs: readonly Need[];
  readonly pipelines: readonly PipelineView[];
  readonly epoch: EpochView | null;
  readonly epochs: readonly EpochSummary[];
  readonly model: ModelView | null;
  readonly deadLetters: DeadLetters;
  /** Newest first. */
  readonly approvals: readonly ApprovalView[];
  /** Secrets that rotate, worst first. */
  readonly secrets: readonly SecretView[];
  readonly deeds: Deeds;
  /** What to do first, while nothing has run yet. */
  readonly firstSteps: readonly { readonly text: string; readonly command: string }[];
}

/** One stretch of the way of the data, with the question that it answers. */
export interface Stage {
  readonly name: 'Events' | 'Spanner' | 'Snapshot' | 'Model';
  readonly rate: string;
  readonly question: string;
  readonly answer: string;
  readonly health: Health;
  readonly detail: string;
  readonly link: { readonly text: string; readonly href: string } | null;
}

/** Something that waits for a person, worst first. */
export interface Need {
  readonly id: string;
  readonly health: 'warn' | 'bad';
  readonly title: string;
  readonly detail: string;
  readonly command: string;
  /** A part of the page, or a path below its own: `/approvals/ID`. */
  readonly href: string;
  /** True where it is a decision that somebody waits for, not trouble. */
  readonly isAsked?: boolean;
}

export type PipelineState =
  | 'not-started'
  | 'flowing'
  | 'idle'
  | 'catching-up'
  | 'falling-behind'
  | 'stalled'
  | 'losing'
  | 'setting-aside'
  | 'unknown';

export interface PipelineView {
  readonly name: string;
  readonly source: string;
  readonly kind: 'kafka' | 'pubsub';
  readonly table: string;
  readonly state: PipelineState;
  readonly health: Health;
  readonly stateText: string;
  /** Null when the source does not tell. */
  readonly lagRecords: number | null;
  readonly lagMs: number | null;
  /** Records a minute by which the lag grew, negative when it shrinks; null until it was seen for 20 s. */
  readonly lagGrowthPerMinute: number | null;
  readonly rowsPerSecond: number | null;
  /** Rows of each of the last 30 minutes, oldest first. */
  readonly rowsByMinute: readonly number[];
  readonly setAside: number;
  /** True when more letters exist than were counted. */
  readonly setAsideIsMore: boolean;
  readonly lost: string;
  readonly doubled: string;
  readonly checkedOffsets: string;
  readonly partitions: readonly PartitionView[];
}

export interface PartitionView {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: string | null;
  readonly endOffset: string | null;
  readonly owner: string | null;
  readonly checkedFrom: string | null;
  readonly breaks: readonly { readonly kind: string; readonly fromOffset: string; readonly toOffset: string }[];
}

export type ShardState = 'waiting' | 'reading' | 'done' | 'failed';

export interface EpochSummary {
  readonly id: string;
  readonly feed: string;
  readonly state: string;
  readonly health: Health;
  readonly readTimestamp: string;
  readonly plannedAtMs: number;
  readonly deliveredAtMs: number | null;
  readonly plannedBy: string;
  readonly planDigest: string;
  readonly shardCount: number;
  readonly rowCount: number | null;
  readonly batchCount: number | null;
  readonly error: string | null;
}

/** A shard on its way, by what its row says. */
export interface ReadingShard {
  readonly shard: number;
  readonly rows: number;
  readonly batches: number;
  readonly rowsPerSecond: number;
  readonly leftMs: number;
  /** Of its own rows, by the plan's estimate; in [0, 1). */
  readonly share: number;
}

export interface EpochView extends EpochSummary {
  readonly shards: Readonly<Record<ShardState, number>>;
  /** The state of each shard in key order. */
  readonly shardStates: readonly ShardState[];
  /** Share of the shards that are done, in [0, 1]. */
  readonly share: number;
  readonly rowsDelivered: number;
  readonly batchesDelivered: number;
  readonly rowsPerSecond: number | null;
  readonly remainingMs: number | null;
  /** Shards that are being read, those that need longest first; not all where they are many. */
  readonly reading: readonly ReadingShard[];
  readonly failures: readonly { readonly shard: number; readonly error: string }[];
  /** Which offsets the snapshot contains: everything below `nextOffset`. */
  readonly contains: readonly {
    readonly pipeline: string;
    readonly topic: string;
    readonly partition: number;
    readonly nextOffset: string;
  }[];
}

export interface ModelView {
  readonly reachable: boolean;
  readonly epoch: string;
  readonly state: string;
  readonly health: Health;
  readonly error: string | null;
  readonly pass: number;
  readonly batch: number;
  readonly passes: number;
  readonly batches: number;
  readonly rows: number;
  readonly rowsSeenOnce: number;
  readonly steps: number;
  readonly stepsPerSecond: number | null;
  readonly firstLoss: number | null;
  readonly lastLoss: number | null;
  readonly losses: readonly { readonly step: number; readonly loss: number }[];
  readonly evaluations: readonly {
    readonly pass: number;
    readonly step: number;
    readonly loss: number;
    readonly auc: number;
  }[];
  readonly auc: number | null;
  readonly baselineAuc: number | null;
  /** Share of the training's time spent waiting for batches, in [0, 1]. */
  readonly waitShare: number | null;
}

export interface DeadLetterView {
  readonly pipeline: string;
  readonly id: string;
  readonly source: string;
  readonly coordinates: string;
  readonly class: string;
  readonly reason: string;
  /** The first bytes as text; bytes that are no text are shown as `\x1f`. Null for a record without a value. */
  readonly preview: string | null;
  readonly key: string | null;
  readonly valueBytes: number;
  readonly recordedAtMs: number;
}

export interface DeadLetters {
  readonly total: number;
  /** True when a pipeline has more letters than the page counts. */
  readonly isMore: boolean;
  readonly newest: readonly DeadLetterView[];
}

/** A rotation, as a person reads it. */
export interface RotationView {
  readonly id: string;
  readonly kind: 'rotate' | 'back';
  readonly step: RotationStep;
  /** Where it was refused; null for one that was not. */
  readonly failedStep: RotationStep | null;
  readonly fromVersion: number | null;
  readonly toVersion: number | null;
  /** When `current` was moved; where it was not, when it was last seen to. */
  readonly atMs: number;
  readonly reason: string | null;
}

/** What somebody did, as its row tells: `grace@example.com` `approved` `redrive Pipeline/orders`. */
export interface DeedView {
  readonly atMs: number;
  readonly who: string;
  readonly did: string;
  readonly what: string;
  readonly detail: string | null;
  /** A part of the page, or a path below its own. */
  readonly href: string;
}

export interface Deeds {
  /** Newest first. */
  readonly newest: readonly DeedView[];
  /** True when rows tell of more than are listed. */
  readonly isMore: boolean;
}

/** A secret that rotates, as a person reads it: its versions by number, never what they hold. */
export interface SecretView {
  readonly name: string;
  readonly strategy: string;
  readonly health: Health;
  /** Null while nothing was ever rotated. */
  readonly current: number | null;
  /** The version before: until when it works, or when its value is destroyed. */
  readonly previous: {
    readonly version: number;
    readonly state: PreviousVersion['state'];
    readonly untilMs: number | null;
  } | null;
  /** Null for a version that is older than the first rotation. */
  readonly ageMs: number | null;
  readonly everyMs: number;
  readonly nextAtMs: number | null;
  readonly isOverdue: boolean;
  readonly result: RotationResult;
  readonly last: RotationView | null;
  /** The newest that failed for good, also where a later one has succeeded. */
  readonly lastFailed: RotationView | null;
  /** What goes on with it; null where nobody is needed. */
  readonly command: string | null;
  /** Processes that live and go by another version than `current`. */
  readonly stillOldCount: number;
  readonly stillOld: readonly { readonly holder: string; readonly version: number; readonly seenAtMs: number }[];
}
