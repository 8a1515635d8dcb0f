import type { Schema } from '../schema.ts';
import { PUBLIC } from './system-roles.ts';

const HOUR_MS = 3_600_000;

/** The schema of a database that has seen no DDL. */
export const emptySchema: Schema = {
  tables: new Map(),
  indexes: new Map(),
  roles: new Map([[PUBLIC, { name: PUBLIC, grants: new Map(), memberOf: new Set<string>() }]]),
  versionRetentionMs: HOUR_MS,
};
