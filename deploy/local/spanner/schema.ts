import type { SpannerType } from './values.ts';

/** A database's schema as its DDL left it. Names keep their case; look-ups ignore it. Replaced as a whole, never changed in place. */
export interface Schema {
  /** By lower-case table name, in order of creation. */
  readonly tables: ReadonlyMap<string, Table>;
  /** By lower-case index name, in order of creation. */
  readonly indexes: ReadonlyMap<string, Index>;
  /** Database roles by name, `public` among them. */
  readonly roles: ReadonlyMap<string, Role>;
  /** `ALTER DATABASE … SET OPTIONS (version_retention_period = …)`; 1 hour unless set. */
  readonly versionRetentionMs: number;
}

export type Privilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';

/** A database role. Unlike other names, its own and those in its grants keep their case. */
export interface Role {
  readonly name: string;
  /** By table, then by privilege: granted on the whole table, and on columns, each revoked by itself. */
  readonly grants: ReadonlyMap<string, ReadonlyMap<Privilege, TableGrant>>;
  /** The roles whose privileges it inherits. */
  readonly memberOf: ReadonlySet<string>;
}

export interface TableGrant {
  readonly whole: boolean;
  readonly columns: ReadonlySet<string>;
}

export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly primaryKey: readonly KeyPart[];
  readonly checks: readonly CheckConstraint[];
  readonly foreignKeys: readonly ForeignKey[];
  readonly parent: { readonly table: string; readonly onDelete: 'CASCADE' | 'NO ACTION' } | undefined;
  /** `ROW DELETION POLICY (OLDER_THAN(column, INTERVAL days DAY))`. */
  readonly rowDeletionPolicy: { readonly column: string; readonly days: number } | undefined;
}

export interface Column {
  readonly name: string;
  readonly type: SpannerType;
  /** Characters of a STRING, bytes of a BYTES, of each element in an array of them; undefined for MAX. */
  readonly maxLength: number | undefined;
  readonly notNull: boolean;
  /** The text between the parentheses of `DEFAULT (…)`. */
  readonly defaultExpression: string | undefined;
  readonly generatedAs: Generation | undefined;
  readonly allowCommitTimestamp: boolean;
}

/** `AS (expression)` of a generated column. */
export interface Generation {
  /** The text between the parentheses. */
  readonly expression: string;
  readonly stored: boolean;
}

/** `CONSTRAINT name CHECK (expression)`: no row may make it FALSE. */
export interface CheckConstraint {
  /** Empty only while a statement is read. */
  readonly name: string;
  readonly expression: string;
}

/** `CONSTRAINT name FOREIGN KEY (columns) REFERENCES table (columns)`. */
export interface ForeignKey {
  /** Empty only while a statement is read. */
  readonly name: string;
  readonly columns: readonly string[];
  readonly referencedTable: string;
  /** As many as `columns`, in their order. */
  readonly referencedColumns: readonly string[];
  readonly onDelete: 'CASCADE' | 'NO ACTION';
  /** False where the declaration only informs. */
  readonly enforced: boolean;
}

export interface KeyPart {
  readonly column: string;
  readonly descending: boolean;
}

export interface Index {
  readonly name: string;
  readonly table: string;
  readonly key: readonly KeyPart[];
  readonly storing: readonly string[];
  readonly unique: boolean;
  readonly nullFiltered: boolean;
  /** The parent of `, INTERLEAVE IN parent`. */
  readonly interleavedIn: string | undefined;
}
