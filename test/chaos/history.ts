/** One record of the topic, as a reader of committed records that is not ours sees it. */
export interface TopicRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly value: string | null;
  readonly version: string;
  readonly type: string;
}

/** One Pub/Sub message as it was acknowledged; without a sequence it is poison. */
export interface PublishedRecord {
  readonly key: string;
  readonly sequence: number | undefined;
}

/** A row by its columns; INT64 as text, since it may be beyond what a number holds. */
export type TableRow = Readonly<Record<string, string>>;
/** Rows by the text of their key. */
export type TableRows = ReadonlyMap<string, TableRow>;

/** What the records of one partition must have left, apart from the tables. */
export interface PartitionLog {
  /** Of the records that count, rising; others were aborted, or are marks of transactions. */
  readonly offsets: readonly number[];
  /** By the same places: the fingerprint of the row of `Events`, or 0 where there must be none. */
  readonly events: readonly number[];
}

/** What Spanner must hold. */
export interface ExpectedHistory {
  readonly topic: string;
  readonly partitions: readonly PartitionLog[];
  readonly tables: ReadonlyMap<string, TableRows>;
  /** Class by `pipeline id`. */
  readonly deadLetters: ReadonlyMap<string, string>;
}

/** One row of PenstockLineage. */
export interface FoundCommit {
  readonly pipeline: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  /** Rows, skipped records and dead letters together. */
  readonly records: number;
  readonly dead: number;
  readonly fence: number;
}

/** What Spanner holds, but for the rows of `Events`. */
export interface FoundHistory {
  readonly tables: ReadonlyMap<string, TableRows>;
  readonly checkpoints: readonly {
    readonly pipeline: string;
    readonly partition: number;
    readonly nextOffset: number;
    readonly fence: number;
  }[];
  readonly lineage: readonly FoundCommit[];
  readonly deadLetters: readonly { readonly pipeline: string; readonly id: string; readonly poison: string }[];
}

/** The pipelines of the chaos declaration that read the topic. */
export const topicPipelines = ['events', 'latest', 'guarded', 'counters', 'hourly', 'routed'] as const;
export type TopicPipeline = (typeof topicPipelines)[number];
/** The one that takes pushed messages. */
export const pushPipeline = 'pushed';

/** The tables that are read whole, with their key and other columns. */
export const tableColumns: Readonly<
  Record<string, { readonly key: readonly string[]; readonly rest: readonly string[] }>
> = {
  Latest: { key: ['EventKey'], rest: ['Sequence'] },
  Guarded: { key: ['EventKey'], rest: ['Sequence', 'Version'] },
  Counters: {
    key: ['EventKey'],
    rest: ['EventCount', 'AmountSum', 'SequenceMin', 'SequenceMax', 'LastSequence', 'LastVersion'],
  },
  Hourly: { key: ['EventKey', 'Hour'], rest: ['EventCount', 'AmountSum'] },
  Parents: { key: ['EventKey'], rest: ['Sequence'] },
  Children: { key: ['EventKey', 'Slot'], rest: ['Sequence'] },
  Pushed: { key: ['EventKey'], rest: ['EventCount', 'SequenceSum', 'SequenceMax'] },
};

/** The text of a key. */
export function keyOf(cells: readonly string[]): string {
  return cells.join(' ');
}

/** Stands for a row where there are too many to keep; never 0 (FNV-1a, 32 bits). */
export function fingerprint(cells: readonly string[]): number {
  let hash = 0x811c9dc5;
  for (const char of cells.join('\n')) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash || 1;
}
