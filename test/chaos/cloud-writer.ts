/** Writes to one of the cloud's servers with its official client, and remembers what was acknowledged. */
export interface CloudWriter {
  readonly name: string;
  /** Writes one thing; throws when it does not know whether it was written. */
  write(id: number): Promise<void>;
  /** Holds what the server has against what was acknowledged. */
  check(): Promise<WriterVerdict>;
  close(): Promise<void>;
}

/** What a server has of what was written to it. */
export interface WriterVerdict {
  readonly acknowledged: number;
  /** Acknowledged and not there. */
  readonly lost: number;
  /** There more often than it was written. */
  readonly doubled: number;
  /** There without having been written, or in part. */
  readonly strange: number;
}
