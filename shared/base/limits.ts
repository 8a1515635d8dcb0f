/**
 * Limits of the systems we stand between.
 *
 * Sources: cloud.google.com/spanner/quotas, cloud.google.com/pubsub/quotas.
 */
const KIB = 1024;
const MIB = 1024 * KIB;

/** Mutations of one Spanner commit, counted with index entries. */
export const maxMutationsPerCommit = 80_000;
/** Bytes of one Spanner commit. */
export const maxCommitBytes = 100 * MIB;
/** Bytes of one Spanner cell. */
export const maxCellBytes = 10 * MIB;
/** Bytes of one Spanner primary key. */
export const maxKeyBytes = 8 * KIB;
/** Bytes of one batch that a trainer takes. */
export const maxBatchBytes = 16 * MIB;
/** Bytes of one HTTP request that a function reads. */
export const maxRequestBytes = 32 * MIB;
/** Longest that a Pub/Sub push may take. */
export const maxPushMs = 600_000;
