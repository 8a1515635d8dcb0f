/**
 * One value in the form in which Spanner's protocol carries it.
 *
 * INT64, NUMERIC, TIMESTAMP, DATE, BYTES (base64), JSON (its text), UUID and STRING are strings; FLOAT32 and FLOAT64 are
 * numbers, or the strings `NaN`, `Infinity` and `-Infinity`. Source: google/spanner/v1/type.proto.
 */
export type Cell = null | boolean | number | string | readonly Cell[];

/** The cell that Spanner replaces by the commit's own timestamp. Source: cloud.google.com/spanner/docs/commit-timestamp. */
export const commitTimestampCell = 'spanner.commit_timestamp()';
