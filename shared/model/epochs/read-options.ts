/** How Spanner is to serve a feed's reads; changes no row and no byte. Plain JSON. */
export interface ReadOptions {
  readonly priority?: 'low' | 'medium' | 'high';
  /** Spanner's statistics show the reads under it. */
  readonly tag?: string;
  readonly replicas?: DirectedRead;
  /** Rows are read by machines that serve nobody else. */
  readonly dataBoost?: true;
}

/** Which replicas serve a read: those of `include`, the first that can, or all but those of `exclude`. */
export interface DirectedRead {
  readonly include?: readonly Replica[];
  readonly exclude?: readonly Replica[];
}

export interface Replica {
  /** Region, as `us-east1`. */
  readonly location?: string;
  readonly type?: 'read-write' | 'read-only';
}
