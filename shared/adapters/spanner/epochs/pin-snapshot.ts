import type { Database, Snapshot } from '@google-cloud/spanner';
import { ConfigError, messageOf, PenstockError } from '../../../base/errors.ts';
import type { Feed, SqlKeyColumn } from '../../../model/config/declaration.ts';
import { findOtherSource } from '../../../model/epochs/check-sources.ts';
import type { KeyCode, KeyColumn } from '../../../model/epochs/key.ts';
import type { ContainedOffsets } from '../../../model/epochs/manifest.ts';
import { numberOf, textOf } from './epoch-rows.ts';

const KEY_COLUMNS = `
  SELECT c.COLUMN_NAME AS name, c.COLUMN_ORDERING AS ordering, c.SPANNER_TYPE AS typeText
  FROM INFORMATION_SCHEMA.INDEX_COLUMNS AS c
  WHERE c.TABLE_CATALOG = '' AND c.TABLE_SCHEMA = '' AND c.INDEX_TYPE = 'PRIMARY_KEY'
    AND LOWER(c.TABLE_NAME) = LOWER(@table) AND c.ORDINAL_POSITION IS NOT NULL
  ORDER BY c.ORDINAL_POSITION`;
const COLUMNS = `
  SELECT c.COLUMN_NAME AS name, c.SPANNER_TYPE AS typeText
  FROM INFORMATION_SCHEMA.COLUMNS AS c
  WHERE c.TABLE_CATALOG = '' AND c.TABLE_SCHEMA = '' AND LOWER(c.TABLE_NAME) = LOWER(@table)`;
/** Of an index that is still being built it is not known yet. */
const UNIQUE_INDEXES = `
  SELECT i.INDEX_NAME AS name
  FROM INFORMATION_SCHEMA.INDEXES AS i
  WHERE i.TABLE_CATALOG = '' AND i.TABLE_SCHEMA = '' AND i.IS_UNIQUE AND i.INDEX_STATE = 'READ_WRITE'
    AND LOWER(i.TABLE_NAME) = LOWER(@table)`;
const INDEX_COLUMNS = `
  SELECT c.COLUMN_NAME AS name, c.INDEX_NAME AS indexName
  FROM INFORMATION_SCHEMA.INDEX_COLUMNS AS c
  WHERE c.TABLE_CATALOG = '' AND c.TABLE_SCHEMA = '' AND c.INDEX_TYPE = 'INDEX'
    AND LOWER(c.TABLE_NAME) = LOWER(@table) AND c.ORDINAL_POSITION IS NOT NULL`;
const OTHERS = `
  SELECT t.TABLE_NAME AS name, t.TABLE_TYPE AS kind
  FROM INFORMATION_SCHEMA.TABLES AS t
  WHERE t.TABLE_CATALOG = '' AND t.TABLE_SCHEMA = '' AND t.TABLE_TYPE != 'BASE TABLE'`;
const RETENTION = `
  SELECT o.OPTION_VALUE AS retention
  FROM INFORMATION_SCHEMA.DATABASE_OPTIONS AS o
  WHERE o.OPTION_NAME = 'version_retention_period'`;

/** Spanner's own default. */
const DEFAULT_RETENTION = '1h';
const unitMs: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 };
const keyCodes = ['BOOL', 'INT64', 'FLOAT32', 'FLOAT64', 'NUMERIC', 'STRING', 'BYTES', 'DATE', 'TIMESTAMP', 'UUID'];

/** A type in the metadata of a result. */
interface TypeOfQuery {
  readonly code?: unknown;
  readonly arrayElementType?: { readonly code?: unknown } | null;
}

/** What a snapshot is to tell. */
export interface SnapshotWish {
  /** What is read: a table, or a query in its place. */
  readonly table: string;
  readonly sql?: Feed['sql'];
  /** Names of the Kafka pipelines that write what is read. */
  readonly pipelines: readonly string[];
  /** Tables that are joined. */
  readonly joined: readonly string[];
}

/** A table as of a moment. */
export interface PinnedTable {
  readonly key: readonly KeyColumn[];
  /** Type of each column as the database spells it, by its lower-case name. */
  readonly types: ReadonlyMap<string, string>;
}

/** A table that is joined, as of a moment. */
export interface PinnedJoin extends PinnedTable {
  /** Sets of columns that no two rows have the same of, NULL aside: of the primary key and of unique indexes. */
  readonly uniques: readonly (readonly string[])[];
}

/** A moment of the database, and what it says of the tables of a feed and of the pipelines that write them. */
export interface PinnedSnapshot extends PinnedTable {
  /** RFC 3339 with nanoseconds. */
  readonly readTimestamp: string;
  /** By the name that was asked for. */
  readonly joined: ReadonlyMap<string, PinnedJoin>;
  /** For how long after the read timestamp its versions are kept. */
  readonly retentionMs: number;
  readonly checkpoints: readonly ContainedOffsets[];
}

/**
 * Pins a read timestamp: one strong read-only transaction gives it, the checkpoints as of it, and the tables' keys.
 *
 * @throws {ConfigError} when there is no such table, when a view is read in place of one, or when the query is refused or has not the columns of its key
 */
export async function pinSnapshot(
  database: Database,
  { table, sql, pipelines, joined }: SnapshotWish,
): Promise<PinnedSnapshot> {
  const [snapshot] = await database.getSnapshot({ strong: true, returnReadTimestamp: true });
  try {
    const { readTimestamp } = snapshot;
    if (readTimestamp === undefined) throw noTimestamp();
    await requireTables(snapshot, { table, sql: sql?.text, joined });
    const checkpoints = await readCheckpoints(snapshot, pipelines);
    const retention = textOf((await query(snapshot, RETENTION, {}))[0], 'retention') || DEFAULT_RETENTION;
    return {
      readTimestamp: readTimestamp.toISOString(),
      ...(sql ? await describeQuery(snapshot, sql) : await describeTable(snapshot, table)),
      joined: await describeJoined(snapshot, joined),
      retentionMs: durationMs(retention),
      checkpoints,
    };
  } finally {
    snapshot.end();
  }
}

async function requireTables(snapshot: Snapshot, feed: Parameters<typeof findOtherSource>[0]): Promise<void> {
  const others = (await query(snapshot, OTHERS, {})).map((row) => ({
    name: textOf(row, 'name'),
    kind: textOf(row, 'kind'),
  }));
  const found = findOtherSource(feed, others);
  if (found === undefined) return;
  const message = `reads ${found.name}, which is a ${found.kind}: which columns it reads is not said`;
  const remedy = 'Name tables; what a view selects can be written as `sql`';
  throw new ConfigError([{ path: feed.sql === undefined ? 'feeds' : 'feeds.sql', message, remedy }]);
}

async function describeTable(snapshot: Snapshot, table: string): Promise<PinnedTable> {
  const columns = await query(snapshot, COLUMNS, { table });
  if (columns.length === 0) throw noTable(table);
  const key = (await query(snapshot, KEY_COLUMNS, { table })).map((row) => keyColumn(table, row));
  return { key, types: new Map(columns.map((row) => [textOf(row, 'name').toLowerCase(), textOf(row, 'typeText')])) };
}

async function describeQuery(snapshot: Snapshot, { text, key }: NonNullable<Feed['sql']>): Promise<PinnedTable> {
  const [, , metadata] = await snapshot
    .run({ sql: `SELECT * FROM (${text}\n) LIMIT 0`, json: true })
    .catch(queryRefused);
  const types = new Map<string, string>();
  for (const { name, type } of metadata.rowType?.fields ?? []) {
    const column = (name ?? '').toLowerCase();
    if (types.has(column)) throw wrongQuery(`has two columns ${name}`, 'Name each column once: SELECT a.Id AS Id');
    types.set(column, typeText(type));
  }
  return { key: key.map((column) => queryKeyColumn(types, column)), types };
}

function queryKeyColumn(types: ReadonlyMap<string, string>, { name, descending }: SqlKeyColumn): KeyColumn {
  const type = types.get(name.toLowerCase());
  if (type === undefined) throw wrongQuery(`has no column ${name}, which its key names`, 'Select it, or name another');
  return keyColumn('the query', { name, ordering: descending ? 'DESC' : 'ASC', typeText: type });
}

/** A type as INFORMATION_SCHEMA spells it, without a length. */
function typeText(type: TypeOfQuery | null | undefined): string {
  const code = String(type?.code ?? '');
  return code === 'ARRAY' ? `ARRAY<${String(type?.arrayElementType?.code ?? '')}>` : code;
}

async function describeJoined(snapshot: Snapshot, tables: readonly string[]): Promise<Map<string, PinnedJoin>> {
  const described = new Map<string, PinnedJoin>();
  for (const table of new Set(tables)) {
    const found = await describeTable(snapshot, table);
    const columns = Map.groupBy(await query(snapshot, INDEX_COLUMNS, { table }), (row) => textOf(row, 'indexName'));
    const indexes = (await query(snapshot, UNIQUE_INDEXES, { table })).map((row) => columns.get(textOf(row, 'name')));
    const uniques = indexes.map((rows = []) => rows.map((row) => textOf(row, 'name')));
    described.set(table, { ...found, uniques: [found.key.map(({ name }) => name), ...uniques] });
  }
  return described;
}

async function query(snapshot: Snapshot, sql: string, params: Readonly<Record<string, string>>): Promise<unknown[]> {
  const [rows] = await snapshot.run({ sql, params: { ...params }, json: true });
  return rows;
}

async function readCheckpoints(snapshot: Snapshot, pipelines: readonly string[]): Promise<ContainedOffsets[]> {
  if (pipelines.length === 0) return [];
  const [rows] = await snapshot.read('PenstockCheckpoints', {
    ranges: pipelines.map((pipeline) => ({ startClosed: [pipeline], endClosed: [pipeline] })),
    columns: ['Pipeline', 'Topic', 'PartitionId', 'TopicId', 'NextOffset'],
    json: true,
    jsonOptions: { wrapNumbers: true },
  });
  return rows.map((row: unknown) => ({
    pipeline: textOf(row, 'Pipeline'),
    topic: textOf(row, 'Topic'),
    partition: numberOf(wrapped(row), 'PartitionId'),
    topicId: textOf(row, 'TopicId'),
    nextOffset: textOf(wrapped(row), 'NextOffset'),
  }));
}

/** INT64 come as `{ value: '123' }` where numbers are wrapped. */
function wrapped(row: unknown): unknown {
  if (typeof row !== 'object' || row === null) return row;
  return Object.fromEntries(
    Object.entries(row).map(([name, value]: [string, unknown]) => [
      name,
      typeof value === 'object' && value !== null && 'value' in value ? value.value : value,
    ]),
  );
}

function keyColumn(table: string, row: unknown): KeyColumn {
  const name = textOf(row, 'name');
  const type = textOf(row, 'typeText').replace(/\(.*$/, '');
  const code = keyCodes.find((known) => known === type);
  if (!isKeyCode(code)) {
    const message = `${table} has ${name} of type ${type} in its primary key`;
    throw new ConfigError([{ path: 'feeds', message, remedy: `A feed ranges over keys of ${keyCodes.join(', ')}` }]);
  }
  return { name, code, descending: textOf(row, 'ordering') === 'DESC' };
}

function isKeyCode(code: string | undefined): code is KeyCode {
  return code !== undefined;
}

/** `1h`, `7d`, `90m`, `3600s`. */
function durationMs(text: string): number {
  const match = /^(\d+)([dhms])$/.exec(text);
  const unit = unitMs[match?.[2] ?? ''];
  if (unit === undefined) throw new TypeError(`version_retention_period ${JSON.stringify(text)} is no duration`);
  return Number(match?.[1]) * unit;
}

function queryRefused(error: unknown): never {
  // INVALID_ARGUMENT: what is wrong with the query, in Spanner's words.
  if (typeof error === 'object' && error !== null && 'code' in error && error.code === 3) {
    throw wrongQuery(`is refused by Spanner: ${messageOf(error)}`, 'Correct the query');
  }
  throw error;
}

function wrongQuery(message: string, remedy: string): ConfigError {
  return new ConfigError([{ path: 'feeds.sql', message, remedy }]);
}

function noTable(table: string): ConfigError {
  const message = `the database has no table ${table}`;
  return new ConfigError([{ path: 'feeds', message, remedy: 'Create the table, or name one that is there' }]);
}

function noTimestamp(): PenstockError {
  return new PenstockError('Spanner gave no read timestamp', {
    code: 'NO_READ_TIMESTAMP',
    remedy: 'Plan again',
    retryable: true,
  });
}
