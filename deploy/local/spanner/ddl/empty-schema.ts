import type { Schema } from '../schema.ts';

const HOUR_MS = 3_600_000;

/** The schema of a database that has seen no DDL. */
export const emptySchema: Schema = { tables: new Map(), indexes: new Map(), versionRetentionMs: HOUR_MS };
