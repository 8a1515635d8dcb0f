/** One record as it was produced; without a sequence it is poison. */
export interface ProducedRecord {
  readonly key: string;
  readonly sequence: number | undefined;
}

/** Everything that brokers acknowledged. */
export interface ProducedHistory {
  readonly topic: string;
  /** By partition; a record's place in its list is its offset. */
  readonly partitions: readonly (readonly ProducedRecord[])[];
  /** Pub/Sub messages by message id. */
  readonly published: ReadonlyMap<string, ProducedRecord>;
}

/** Counters of one key. */
export interface Totals {
  readonly count: number;
  readonly sum: number;
  readonly max: number;
}

/** One row of PenstockLineage. */
export interface FoundCommit {
  readonly pipeline: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  /** Rows, skipped records and dead letters together. */
  readonly records: number;
  readonly fence: number;
}

/** What Spanner holds. */
export interface FoundHistory {
  readonly events: readonly {
    readonly partition: number;
    readonly offset: number;
    readonly key: string;
    readonly sequence: number;
  }[];
  readonly latest: ReadonlyMap<string, number>;
  readonly counters: ReadonlyMap<string, Totals>;
  readonly pushed: ReadonlyMap<string, Totals>;
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
export const topicPipelines = ['events', 'latest', 'counters'] as const;
/** The one that takes pushed messages. */
export const pushPipeline = 'pushed';
