import type { Schema } from '../schema.ts';
import type { Cell } from '../values.ts';

/** One view of INFORMATION_SCHEMA: a name, its columns (`NAME TYPE`, STRING where no type stands) and its rows. */
export interface View {
  readonly name: string;
  readonly columns: readonly string[];
  rows(schema: Schema): Iterable<readonly Cell[]>;
}

export const CATALOG = '';
export const USER_SCHEMA = '';
export const OWN_SCHEMA = 'INFORMATION_SCHEMA';
export const TABLE_COLUMNS = ['TABLE_CATALOG', 'TABLE_SCHEMA', 'TABLE_NAME'];

/** The three columns that say where something of the user's is. */
export function place(name: string): [string, string, string] {
  return [CATALOG, USER_SCHEMA, name];
}
