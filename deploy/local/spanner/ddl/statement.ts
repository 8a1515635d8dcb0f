import type { Column, Generation, Index, Privilege, Table } from '../schema.ts';
import type { SpannerType } from '../values.ts';
import type { ParsedConstraint } from './parse-constraint.ts';

/** One parsed DDL statement; nothing in it has been checked against a schema. */
export type Statement =
  | { readonly kind: 'create-table'; readonly ifNotExists: boolean; readonly table: Table }
  | { readonly kind: 'create-index'; readonly ifNotExists: boolean; readonly index: Index }
  | { readonly kind: 'drop-table'; readonly ifExists: boolean; readonly name: string }
  | { readonly kind: 'drop-index'; readonly ifExists: boolean; readonly name: string }
  | { readonly kind: 'create-role' | 'drop-role'; readonly name: string }
  | {
      readonly kind: 'grant' | 'revoke';
      readonly privileges: readonly PrivilegeList[];
      readonly tables: readonly string[];
      readonly roles: readonly string[];
    }
  | {
      readonly kind: 'grant-role' | 'revoke-role';
      /** Whose privileges `roles` inherit. */
      readonly granted: readonly string[];
      readonly roles: readonly string[];
    }
  | { readonly kind: 'alter-table'; readonly table: string; readonly action: TableAction }
  | { readonly kind: 'alter-database'; readonly name: string; readonly versionRetentionMs: number };

/** One privilege of a GRANT; on the whole table where no columns are named. */
export interface PrivilegeList {
  readonly privilege: Privilege;
  readonly columns: readonly string[] | undefined;
}

export type TableAction =
  | { readonly kind: 'add-column'; readonly ifNotExists: boolean; readonly column: Column }
  | { readonly kind: 'drop-column'; readonly column: string }
  | { readonly kind: 'alter-column'; readonly column: string; readonly change: ColumnChange }
  | { readonly kind: 'add-policy' | 'replace-policy'; readonly policy: NonNullable<Table['rowDeletionPolicy']> }
  | { readonly kind: 'add-constraint'; readonly constraint: ParsedConstraint }
  | { readonly kind: 'drop-constraint'; readonly name: string }
  | { readonly kind: 'drop-policy' }
  | { readonly kind: 'set-on-delete'; readonly onDelete: 'CASCADE' | 'NO ACTION' };

export type ColumnChange =
  | { readonly kind: 'definition'; readonly definition: ColumnDefinition }
  | { readonly kind: 'default'; readonly expression: string | undefined }
  | { readonly kind: 'commit-timestamp'; readonly allowed: boolean };

export interface ColumnDefinition {
  readonly type: SpannerType;
  readonly maxLength: number | undefined;
  readonly notNull: boolean;
  readonly defaultExpression: string | undefined;
  readonly generatedAs: Generation | undefined;
  /** Undefined where the statement has no OPTIONS. */
  readonly allowCommitTimestamp: boolean | undefined;
}
