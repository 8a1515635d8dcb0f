import { createHash } from 'node:crypto';
import type { BatchFormat } from '../tensors/batch-format.ts';
import {
  type FittedBalance,
  type FittedSplit,
  type FittedTransform,
  type TensorSpec,
  tensorSpecs,
} from '../tensors/fitted.ts';
import type { PlannedJoin } from './join.ts';
import type { Key, KeyColumn } from './key.ts';
import type { KeyRange } from './key-range.ts';
import type { ReadOptions } from './read-options.ts';

/** What can change the bytes of a batch from outside of the plan. */
export interface Versions {
  readonly node: string;
  readonly icu: string;
  /** Of the time-zone data. */
  readonly tz: string;
  /** Of the library that writes Arrow; absent where another format is written. */
  readonly arrow?: string;
}

/** Where a pipeline stood in one partition as of the read timestamp: all offsets below are in the epoch. */
export interface ContainedOffsets {
  readonly pipeline: string;
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
  /** A decimal text. */
  readonly nextOffset: string;
}

/** Everything that a batch is a function of. Plain JSON. */
export interface Plan {
  readonly feed: string;
  /** `query` where `sql` is asked. */
  readonly table: string;
  /** Columns that are read: those of the key first, in its order, so that any row can be resumed after; joined ones last. */
  readonly columns: readonly string[];
  readonly key: readonly KeyColumn[];
  /** Only rows that meet this GoogleSQL condition; absent for all. */
  readonly where?: string;
  /** A query whose rows are read in place of a table's; absent where a table is. */
  readonly sql?: string;
  /** Small tables whose columns are `NAME.COLUMN`; absent without any. */
  readonly join?: readonly PlannedJoin[];
  /** Fitted; the label's is the last. */
  readonly transforms: readonly FittedTransform[];
  readonly split: FittedSplit | null;
  /** Absent where all training rows are kept. */
  readonly balance?: FittedBalance;
  readonly seed: number;
  readonly batchRows: number;
  readonly batchesPerBlock: number;
  /** Each shard's, by its number: the first key of the next one bounds it. */
  readonly cuts: readonly Key[];
  readonly versions: Versions;
  /** Absent for safetensors. */
  readonly format?: Exclude<BatchFormat, 'safetensors'>;
}

/** The whole account of an epoch, kept in `PenstockEpochs.Manifest`. */
export interface Manifest {
  readonly version: 1;
  readonly epoch: string;
  /** RFC 3339 with nanoseconds, as Spanner gave it. */
  readonly readTimestamp: string;
  /** Until when Spanner keeps the versions that the epoch reads, RFC 3339. */
  readonly readableUntil: string;
  readonly planDigest: string;
  /** Service account that planned it. */
  readonly plannedBy: string;
  /** Rows at the read timestamp. */
  readonly rowCount: number;
  /** They were not counted: it is about so many, before `where`. How many they are is known when they are delivered. */
  readonly rowCountIsEstimate?: true;
  readonly plan: Plan;
  /** How Spanner serves the reads; not of the plan, since it changes no byte. */
  readonly read?: ReadOptions;
  /** Where shards may be cut into pieces that fit into memory; with `read.dataBoost` alone. */
  readonly pieces?: readonly Key[];
  /** Of the transforms with all that they learned; `from` is the epoch that learned it, null for this one. Absent in older epochs. */
  readonly fit?: { readonly digest: string; readonly from: string | null };
  readonly tensors: readonly TensorSpec[];
  readonly checkpoints: readonly ContainedOffsets[];
}

/** What may be shown of an epoch to those who may not see what its transforms learned; `PenstockEpochs.Outline`. */
export type Outline = Pick<Manifest, 'rowCount' | 'rowCountIsEstimate' | 'checkpoints'>;

/** What may be shown of a manifest. */
export function outlineOf({ rowCount, rowCountIsEstimate, checkpoints }: Manifest): Outline {
  return { rowCount, ...(rowCountIsEstimate && { rowCountIsEstimate }), checkpoints };
}

/** Versions of this process. */
export function versionsOf(versions: NodeJS.ProcessVersions): Versions {
  return { node: versions.node, icu: versions.icu ?? 'none', tz: versions.tz ?? 'none' };
}

/**
 * The digest of a plan, `sha256:` and 64 hexadecimal digits, over its JSON with sorted names: two plans with the same
 * digest make the same bytes of the same rows.
 */
export function planDigest(plan: Plan): string {
  return `sha256:${createHash('sha256').update(canonicalJson(plan)).digest('hex')}`;
}

/** The digest of fitted transforms, of the same form: equal wherever training and serving apply the same. */
export function fitDigest(transforms: readonly FittedTransform[]): string {
  return `sha256:${createHash('sha256').update(canonicalJson(transforms)).digest('hex')}`;
}

/**
 * Builds a manifest.
 *
 * @param fitFrom the epoch whose fit it takes; null when it was fitted for this one
 */
export function buildManifest(
  given: Omit<Manifest, 'version' | 'planDigest' | 'tensors' | 'fit'>,
  fitFrom: string | null = null,
): Manifest {
  return {
    version: 1,
    ...given,
    planDigest: planDigest(given.plan),
    fit: { digest: fitDigest(given.plan.transforms), from: fitFrom },
    tensors: tensorSpecs(given.plan.transforms),
  };
}

/** The ranges of an epoch's shards, by their number. */
export function shardRanges({ cuts }: Pick<Plan, 'cuts'>): KeyRange[] {
  return [undefined, ...cuts].map((from, index) => ({ from, to: cuts[index] }));
}

/** Rows that a full block holds. */
export function blockRows(plan: Plan): number {
  return plan.batchRows * plan.batchesPerBlock;
}

/** What a trainer is told of an epoch before its batches come; always the same for the same epoch. */
export function announcementOf(manifest: Manifest): object {
  const { feed, cuts, batchRows, seed, format } = manifest.plan;
  return {
    feed,
    readTimestamp: manifest.readTimestamp,
    planDigest: manifest.planDigest,
    shards: cuts.length + 1,
    batchRows,
    seed,
    tensors: manifest.tensors,
    ...(format && { format }),
  };
}

/** JSON whose names are sorted at every depth: Spanner's JSON type sorts them too. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([left], [right]) => (left < right ? -1 : 1)))
      : part,
  );
}

/** The metadata of a batch; everything is a text, as safetensors demands. */
export function batchMetadata(
  manifest: Manifest,
  batch: {
    readonly shard: number;
    readonly sequence: number;
    readonly role: string;
    readonly rows: number;
    /** Of the block that the batch is cut from, counted from the shard's start. */
    readonly rowFrom: number;
    readonly rowTo: number;
  },
): Record<string, string> {
  return {
    epoch: manifest.epoch,
    shard: String(batch.shard),
    sequence: String(batch.sequence),
    rowFrom: String(batch.rowFrom),
    rowTo: String(batch.rowTo),
    rows: String(batch.rows),
    readTimestamp: manifest.readTimestamp,
    planDigest: manifest.planDigest,
    role: batch.role,
    columns: JSON.stringify(manifest.plan.columns),
  };
}
