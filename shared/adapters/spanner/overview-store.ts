import type { Database, protos, Snapshot } from '@google-cloud/spanner';
import type { SecretUser } from '../../model/rotation/last-users.ts';
import { rotationSteps } from '../../model/rotation/rotation.ts';
import type { RotationRecord } from '../../model/rotation/secret-standing.ts';
import { readPart, type ShardPart } from './epochs/epoch-rows.ts';

type KeySet = protos.google.spanner.v1.IKeySet;

/** Characters of a dead letter's key and value that leave the database. */
const PREVIEW_BYTES = 160;
const READ_TIMEOUT_MS = 10_000;

export interface CheckpointRow {
  readonly pipeline: string;
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: bigint;
  readonly highWatermark: bigint;
  readonly owner: string;
  readonly lastEventAtMs: number | undefined;
  readonly updatedAtMs: number;
}

export interface LineageRow {
  readonly fromOffset: bigint;
  readonly toOffset: bigint;
  readonly rowCount: number;
  readonly skippedCount: number;
  readonly deadCount: number;
  readonly committedAtMs: number;
}

export interface ReceiptRow {
  readonly outcome: string;
  readonly receivedAtMs: number;
}

export interface DeadLetterRow {
  readonly pipeline: string;
  readonly id: string;
  readonly source: string;
  readonly topic: string | undefined;
  readonly partition: number | undefined;
  readonly offset: bigint | undefined;
  readonly eventId: string | undefined;
  readonly class: string;
  readonly reason: string;
  readonly valueBytes: number;
  readonly recordedAtMs: number;
  readonly redriven: boolean;
  readonly redrivenAtMs: number | undefined;
  readonly redrivenBy: string | undefined;
}

export interface RotationRow extends RotationRecord {
  readonly requestedBy: string;
}

export interface DeadLetterHead {
  readonly pipeline: string;
  readonly id: string;
  readonly key: Uint8Array | undefined;
  readonly value: Uint8Array | undefined;
}

export interface EpochRow {
  readonly id: string;
  readonly feed: string;
  readonly state: string;
  /** RFC 3339 with nanoseconds. */
  readonly readTimestamp: string;
  readonly planDigest: string;
  /** What may be shown of the manifest: rows and offsets; null where an older version planned it. */
  readonly outline: unknown;
  readonly shardCount: number;
  readonly rowCount: number | undefined;
  readonly batchCount: number | undefined;
  readonly plannedBy: string;
  readonly plannedAtMs: number;
  readonly deliveredAtMs: number | undefined;
  readonly error: string | undefined;
}

export interface ShardRow extends ShardPart {
  readonly shard: number;
  readonly state: string;
  readonly rowCount: number;
  readonly batchCount: number;
  readonly leaseExpiresAtMs: number | undefined;
  readonly startedAtMs: number | undefined;
  readonly updatedAtMs: number;
  readonly error: string | undefined;
}

export interface PartitionName {
  readonly pipeline: string;
  readonly topic: string;
  readonly partition: number;
}

/** Reads of the control tables at one timestamp; each names its limit. */
export interface OverviewReader {
  readonly readAtMs: number;
  checkpoints(pipeline: string, limit: number): Promise<CheckpointRow[]>;
  /** In order of offset, from `fromOffset` up to `toOffset` (unbounded when left out). */
  lineage(
    partition: PartitionName,
    range: { fromOffset: bigint; toOffset?: bigint; limit: number },
  ): Promise<LineageRow[]>;
  receipts(pipeline: string, limit: number): Promise<ReceiptRow[]>;
  /** In order of id, without their bytes; `isMore` when the limit cut them off. */
  deadLetters(pipeline: string, limit: number): Promise<{ letters: DeadLetterRow[]; isMore: boolean }>;
  /** The first bytes of each of these letters' key and value, cut in the database. */
  deadLetterHeads(letters: readonly { pipeline: string; id: string }[]): Promise<DeadLetterHead[]>;
  /** Newest first. */
  epochs(feed: string, limit: number): Promise<EpochRow[]>;
  epoch(id: string): Promise<EpochRow | undefined>;
  shards(epochId: string, limit: number): Promise<ShardRow[]>;
  rotations(secret: string, limit: number): Promise<RotationRow[]>;
  secretUsers(secret: string, limit: number): Promise<SecretUser[]>;
}

export interface OverviewStore {
  /** Lends a reader whose reads all see the same strong read-only snapshot. */
  read<T>(use: (reader: OverviewReader) => Promise<T>): Promise<T>;
}

/** Reads the control tables for people: by key ranges and limits only, never a data table, never a whole table. */
export function openOverviewStore(database: Database): OverviewStore {
  return {
    async read(use) {
      const [snapshot] = await database.getSnapshot({ strong: true });
      try {
        return await use(readerOf(snapshot));
      } finally {
        snapshot.end();
      }
    },
  };
}

function readerOf(snapshot: Snapshot): OverviewReader {
  const read = (table: string, columns: string[], keySet: KeySet, limit: number, index?: string) =>
    readRows(snapshot, table, { columns, keySet, limit, ...(index === undefined ? {} : { index }) });
  return {
    readAtMs: snapshot.readTimestamp?.getTime() ?? Date.now(),
    async checkpoints(pipeline, limit) {
      const rows = await read('PenstockCheckpoints', checkpointColumns, under([pipeline]), limit);
      return rows.map(checkpointOf);
    },
    async lineage({ pipeline, topic, partition }, { fromOffset, toOffset, limit }) {
      const prefix = [pipeline, topic, partition];
      const end = toOffset === undefined ? { endClosed: key(prefix) } : { endOpen: key([...prefix, toOffset]) };
      const keySet = { ranges: [{ startClosed: key([...prefix, fromOffset]), ...end }] };
      return (await read('PenstockLineage', lineageColumns, keySet, limit)).map(lineageOf);
    },
    async receipts(pipeline, limit) {
      const rows = await read('PenstockReceipts', ['Outcome', 'ReceivedAt'], under([pipeline]), limit);
      return rows.map((row) => ({ outcome: text(row[0]), receivedAtMs: time(row[1]) }));
    },
    async deadLetters(pipeline, limit) {
      const rows = await read('PenstockDeadLetters', deadLetterColumns, under([pipeline]), limit);
      return { letters: rows.filter((row) => whole(row[2]) === 0n).map(deadLetterOf), isMore: rows.length === limit };
    },
    deadLetterHeads: (letters) => readHeads(snapshot, letters),
    async epochs(feed, limit) {
      const found = await read('PenstockEpochs', ['EpochId'], under([feed]), limit, 'PenstockEpochsByFeed');
      if (found.length === 0) return [];
      const keySet = { keys: found.map((row) => key([text(row[0])])) };
      const rows = (await read('PenstockEpochs', epochColumns, keySet, limit)).map(epochOf);
      return rows.sort((a, b) => b.plannedAtMs - a.plannedAtMs);
    },
    async epoch(id) {
      return (await read('PenstockEpochs', epochColumns, { keys: [key([id])] }, 1)).map(epochOf)[0];
    },
    async shards(epochId, limit) {
      return (await read('PenstockShards', shardColumns, under([epochId]), limit)).map(shardOf);
    },
    async rotations(secret, limit) {
      return (await read('PenstockRotations', rotationColumns, under([secret]), limit)).map(rotationOf);
    },
    async secretUsers(secret, limit) {
      const rows = await read('PenstockSecretUsers', ['Holder', 'Version', 'SeenAt'], under([secret]), limit);
      return rows.map((row) => ({ holder: text(row[0]), version: Number(whole(row[1])), seenAtMs: time(row[2]) }));
    },
  };
}

async function readRows(
  snapshot: Snapshot,
  table: string,
  request: { columns: string[]; keySet: KeySet; limit: number; index?: string },
): Promise<unknown[][]> {
  const [rows] = await snapshot.read(table, {
    ...request,
    gaxOptions: { timeout: READ_TIMEOUT_MS },
    requestOptions: { priority: 'PRIORITY_LOW', requestTag: 'penstock-dashboard' },
  });
  return rows.map(cells);
}

/** SQL, because a plain read would carry whole values of up to 10 MiB here to show a line of each. */
async function readHeads(
  snapshot: Snapshot,
  letters: readonly { pipeline: string; id: string }[],
): Promise<DeadLetterHead[]> {
  if (letters.length === 0) return [];
  const wanted = new Set(letters.map(({ pipeline, id }) => nameOf(pipeline, id)));
  const [rows] = await snapshot.run({
    sql: `SELECT Pipeline, DeadLetterId, SUBSTR(RecordKey, 1, ${PREVIEW_BYTES}), SUBSTR(RecordValue, 1, ${PREVIEW_BYTES})
      FROM PenstockDeadLetters WHERE Pipeline IN UNNEST(@pipelines) AND DeadLetterId IN UNNEST(@ids) AND Part = 0
      LIMIT ${letters.length * 2}`,
    params: { pipelines: [...new Set(letters.map(({ pipeline }) => pipeline))], ids: letters.map(({ id }) => id) },
    types: { pipelines: { type: 'array', child: 'string' }, ids: { type: 'array', child: 'string' } },
    gaxOptions: { timeout: READ_TIMEOUT_MS },
    requestOptions: { priority: 'PRIORITY_LOW', requestTag: 'penstock-dashboard' },
  });
  return rows
    .map(cells)
    .map((row) => ({ pipeline: text(row[0]), id: text(row[1]), key: bytes(row[2]), value: bytes(row[3]) }))
    .filter(({ pipeline, id }) => wanted.has(nameOf(pipeline, id)));
}

function nameOf(pipeline: string, id: string): string {
  return JSON.stringify([pipeline, id]);
}

const checkpointColumns = [
  'Pipeline',
  'Topic',
  'PartitionId',
  'NextOffset',
  'HighWatermark',
  'Owner',
  'LastEventAt',
  'UpdatedAt',
];

function checkpointOf(row: unknown[]): CheckpointRow {
  return {
    pipeline: text(row[0]),
    topic: text(row[1]),
    partition: Number(whole(row[2])),
    nextOffset: whole(row[3]),
    highWatermark: whole(row[4]),
    owner: text(row[5]),
    lastEventAtMs: optional(row[6], time),
    updatedAtMs: time(row[7]),
  };
}

const lineageColumns = ['FromOffset', 'ToOffset', 'RowCount', 'SkippedCount', 'DeadCount', 'CommittedAt'];

function lineageOf(row: unknown[]): LineageRow {
  return {
    fromOffset: whole(row[0]),
    toOffset: whole(row[1]),
    rowCount: Number(whole(row[2])),
    skippedCount: Number(whole(row[3])),
    deadCount: Number(whole(row[4])),
    committedAtMs: time(row[5]),
  };
}

const deadLetterColumns = [
  'Pipeline',
  'DeadLetterId',
  'Part',
  'Source',
  'Topic',
  'PartitionId',
  'RecordOffset',
  'EventId',
  'Class',
  'Reason',
  'ValueBytes',
  'RecordedAt',
  'RedrivenAt',
  'RedrivenBy',
];

function deadLetterOf(row: unknown[]): DeadLetterRow {
  return {
    pipeline: text(row[0]),
    id: text(row[1]),
    source: text(row[3]),
    topic: optional(row[4], text),
    partition: optional(row[5], (value) => Number(whole(value))),
    offset: optional(row[6], whole),
    eventId: optional(row[7], text),
    class: text(row[8]),
    reason: text(row[9]),
    valueBytes: Number(whole(row[10])),
    recordedAtMs: time(row[11]),
    redriven: row[12] !== null,
    redrivenAtMs: optional(row[12], time),
    redrivenBy: optional(row[13], text),
  };
}

const epochColumns = [
  'EpochId',
  'Feed',
  'State',
  'ReadTimestamp',
  'PlanDigest',
  'Outline',
  'ShardCount',
  'RowCount',
  'BatchCount',
  'PlannedBy',
  'PlannedAt',
  'DeliveredAt',
  'Error',
];

function epochOf(row: unknown[]): EpochRow {
  return {
    id: text(row[0]),
    feed: text(row[1]),
    state: text(row[2]),
    readTimestamp: row[3] instanceof Date ? row[3].toISOString() : text(row[3]),
    planDigest: text(row[4]),
    outline: row[5],
    shardCount: Number(whole(row[6])),
    rowCount: optional(row[7], (value) => Number(whole(value))),
    batchCount: optional(row[8], (value) => Number(whole(value))),
    plannedBy: text(row[9]),
    plannedAtMs: time(row[10]),
    deliveredAtMs: optional(row[11], time),
    error: optional(row[12], text),
  };
}

const shardColumns = [
  'ShardId',
  'State',
  'RowCount',
  'BatchCount',
  'LeaseExpiresAt',
  'UpdatedAt',
  'Error',
  'StartedAt',
  'KeyRange',
];

function shardOf(row: unknown[]): ShardRow {
  return {
    shard: Number(whole(row[0])),
    state: text(row[1]),
    rowCount: Number(whole(row[2])),
    batchCount: Number(whole(row[3])),
    leaseExpiresAtMs: optional(row[4], time),
    updatedAtMs: time(row[5]),
    error: optional(row[6], text),
    startedAtMs: optional(row[7], time),
    ...readPart(row[8], Number(whole(row[0]))),
  };
}

const rotationColumns = [
  'RotationId',
  'Kind',
  'Step',
  'FromVersion',
  'ToVersion',
  'Reason',
  'StartedAt',
  'UpdatedAt',
  'FinishedAt',
  'RetireAt',
  'DestroyAt',
  'FailedStep',
  'RequestedBy',
];

function rotationOf(row: unknown[]): RotationRow {
  const step = rotationSteps.find((known) => known === row[2]);
  if (!step) throw new Error(`PenstockRotations holds a step ${text(row[2])}, which this version does not know`);
  const version = (value: unknown): number => Number(whole(value));
  return {
    id: text(row[0]),
    kind: row[1] === 'back' ? 'back' : 'rotate',
    step,
    fromVersion: optional(row[3], version),
    toVersion: optional(row[4], version),
    reason: optional(row[5], text),
    startedAtMs: time(row[6]),
    updatedAtMs: time(row[7]),
    finishedAtMs: optional(row[8], time),
    retireAtMs: optional(row[9], time),
    destroyAtMs: optional(row[10], time),
    failedStep: rotationSteps.find((known) => known === row[11]),
    requestedBy: text(row[12]),
  };
}

/** All keys that begin with these parts. */
function under(parts: readonly (string | number | bigint)[]): KeySet {
  return { ranges: [{ startClosed: key(parts), endClosed: key(parts) }] };
}

/** Spanner's wire form: INT64 travels as text. */
function key(parts: readonly (string | number | bigint)[]) {
  return { values: parts.map((part) => ({ stringValue: String(part) })) };
}

/** The client's rows are lists of named fields, unless one asks for JSON. */
function cells(row: unknown): unknown[] {
  if (!Array.isArray(row)) throw new TypeError('A row of the control tables is no list of fields');
  return row.map((field: unknown) =>
    typeof field === 'object' && field !== null && 'value' in field ? field.value : field,
  );
}

function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === null || value === undefined ? undefined : read(value);
}

function text(value: unknown): string {
  return String(value);
}

/** INT64 comes as the client's own number class, which prints exactly. */
function whole(value: unknown): bigint {
  return BigInt(typeof value === 'object' && value !== null && 'value' in value ? String(value.value) : String(value));
}

function time(value: unknown): number {
  return value instanceof Date ? value.getTime() : Number.NaN;
}

function bytes(value: unknown): Uint8Array | undefined {
  return value instanceof Uint8Array ? value : undefined;
}
