import type { RawRecord, RecordHeader } from '../../../model/events/records/raw-record.ts';
import type { Cell } from '../../../model/events/values/cell.ts';
import type { SpannerChannel } from '../channel.ts';
import { type Query, type QueryRow, readSnapshot } from '../read-snapshot.ts';

const TABLE = 'PenstockDeadLetters';
const DEADLINE_MS = 15_000;

/** A dead letter without its bytes. */
export interface DeadLetterSummary {
  readonly pipeline: string;
  readonly id: string;
  readonly source: string;
  readonly topic: string | undefined;
  readonly partition: number | undefined;
  readonly offset: string | undefined;
  readonly eventId: string | undefined;
  readonly class: string;
  readonly reason: string;
  readonly valueBytes: number;
  /** The version of the pipeline that last tried it; undefined for letters that are older than versions. */
  readonly pipelineVersion: string | undefined;
  /** RFC 3339. */
  readonly recordedAt: string;
  /** How often it was sent through the pipeline again. */
  readonly attemptCount: number;
  /** RFC 3339; undefined until it was redriven. */
  readonly redrivenAt: string | undefined;
  readonly redrivenBy: string | undefined;
}

/** A dead letter with the record as it came. */
export interface StoredDeadLetter extends DeadLetterSummary {
  readonly record: RawRecord;
  /** False when the headers were too large to keep their values. */
  readonly isWhole: boolean;
}

/** Which letters are meant; what is undefined does not choose. */
export interface DeadLetterFilter {
  readonly pipeline: string | undefined;
  readonly class: string | undefined;
  /** Set aside at this time or later; milliseconds since 1970. */
  readonly sinceMs: number | undefined;
  /** Set aside at this time or earlier; RFC 3339. */
  readonly until?: string | undefined;
  /** Only those that were not redriven. */
  readonly isOpen: boolean;
}

const columns = [
  'Pipeline',
  'DeadLetterId',
  'Source',
  'Topic',
  'PartitionId',
  'RecordOffset',
  'EventId',
  'Class',
  'Reason',
  'ValueBytes',
  'PipelineVersion',
  'RecordedAt',
  'AttemptCount',
  'RedrivenAt',
  'RedrivenBy',
] as const;

/** The columns that hold a letter's first part, with its bytes. */
export const letterColumns = [...columns, 'PartCount', 'RecordKey', 'RecordValue', 'Headers', 'OccurredAt'] as const;

const OFFSET = 'IFNULL(RecordOffset, 0)';

/**
 * Lists dead letters page by page: `newest` first, or in the order in which they were set aside and, within a commit, in that
 * of their offsets.
 *
 * @param page.after the last letter of the page before; undefined for the first page
 */
export async function listDeadLetters(
  channel: SpannerChannel,
  filter: DeadLetterFilter,
  page: { readonly order: 'newest' | 'oldest'; readonly limit: number; readonly after?: DeadLetterSummary | undefined },
): Promise<DeadLetterSummary[]> {
  const [sign, direction] = page.order === 'newest' ? ['<', 'DESC'] : ['>', 'ASC'];
  const { where, parameters } = conditionOf(filter);
  if (page.after) {
    const { recordedAt, offset, id } = page.after;
    Object.assign(parameters, { at: recordedAt, offset: offset ?? '0', id });
    where.push(`(RecordedAt ${sign} TIMESTAMP(@at) OR RecordedAt = TIMESTAMP(@at) AND
      (${OFFSET} ${sign} CAST(@offset AS INT64) OR ${OFFSET} = CAST(@offset AS INT64) AND DeadLetterId ${sign} @id))`);
  }
  const sql = `SELECT ${columns.join(', ')} FROM ${TABLE} WHERE ${where.join(' AND ')}
    ORDER BY RecordedAt ${direction}, ${OFFSET} ${direction}, DeadLetterId ${direction} LIMIT @limit`;
  const rows = await readLetters(channel, 'list dead letters', (query) =>
    query(sql, { ...parameters, limit: page.limit }),
  );
  return rows.map(summaryOf);
}

/** How many letters are meant, and when the newest of them was set aside. */
export async function countDeadLetters(
  channel: SpannerChannel,
  filter: DeadLetterFilter,
): Promise<{ readonly count: number; readonly newestAt: string | undefined }> {
  const { where, parameters } = conditionOf(filter);
  const sql = `SELECT COUNT(*) AS Letters, MAX(RecordedAt) AS NewestAt FROM ${TABLE} WHERE ${where.join(' AND ')}`;
  const [row] = await readLetters(channel, 'count dead letters', (query) => query(sql, parameters));
  return { count: Number(row?.Letters ?? 0), newestAt: optional(row?.NewestAt) };
}

interface Condition {
  readonly where: string[];
  readonly parameters: Record<string, string | number>;
}

function conditionOf({ pipeline, class: poison, sinceMs, until, isOpen }: DeadLetterFilter): Condition {
  const where = ['Part = 0'];
  const parameters: Record<string, string | number> = {};
  const choose = (name: string, value: string | number | undefined, condition: string): void => {
    if (value === undefined) return;
    where.push(condition);
    parameters[name] = value;
  };
  choose('pipeline', pipeline, 'Pipeline = @pipeline');
  choose('class', poison, 'Class = @class');
  choose('since', sinceMs, 'RecordedAt >= TIMESTAMP_MILLIS(@since)');
  choose('until', until, 'RecordedAt <= TIMESTAMP(@until)');
  if (isOpen) where.push('RedrivenAt IS NULL');
  return { where, parameters };
}

/**
 * Reads one dead letter with its bytes, put together from their parts.
 *
 * @returns undefined when there is none of this id
 */
export async function readDeadLetter(
  channel: SpannerChannel,
  pipeline: string,
  id: string,
): Promise<StoredDeadLetter | undefined> {
  const sql = `SELECT ${letterColumns.filter((name) => name !== 'Headers').join(', ')}, TO_JSON_STRING(Headers) AS Headers
    FROM ${TABLE} WHERE Pipeline = @pipeline AND DeadLetterId = @id ORDER BY Part`;
  const rows = await readLetters(channel, `read dead letter ${id}`, (query) => query(sql, { pipeline, id }));
  return letterOf(rows);
}

function readLetters<T>(channel: SpannerChannel, attempted: string, run: (query: Query) => Promise<T>): Promise<T> {
  return readSnapshot(channel, { attempted, table: TABLE, deadlineMs: DEADLINE_MS }, run);
}

/** @param rows all parts of a letter, in order; what lies behind its last part is of an earlier letter of the same id */
export function letterOf(rows: readonly QueryRow[]): StoredDeadLetter | undefined {
  const [head] = rows;
  if (!head) return undefined;
  const parts = rows.slice(0, Number(head.PartCount));
  const summary = summaryOf(head);
  const { headers, isWhole } = headersOf(head.Headers);
  const record: RawRecord = {
    key: joined(parts.map((row) => row.RecordKey)),
    value: joined(parts.map((row) => row.RecordValue)),
    headers,
    timestampMs: typeof head.OccurredAt === 'string' ? Date.parse(head.OccurredAt) : undefined,
    topic: summary.topic ?? '',
    partition: summary.partition ?? 0,
    offset: BigInt(summary.offset ?? 0),
  };
  return { ...summary, record, isWhole };
}

function summaryOf(row: QueryRow): DeadLetterSummary {
  return {
    pipeline: String(row.Pipeline),
    id: String(row.DeadLetterId),
    source: String(row.Source),
    topic: optional(row.Topic),
    partition: row.PartitionId === null ? undefined : Number(row.PartitionId),
    offset: optional(row.RecordOffset),
    eventId: optional(row.EventId),
    class: String(row.Class),
    reason: String(row.Reason),
    valueBytes: Number(row.ValueBytes),
    pipelineVersion: optional(row.PipelineVersion),
    recordedAt: String(row.RecordedAt),
    attemptCount: Number(row.AttemptCount ?? 0),
    redrivenAt: optional(row.RedrivenAt),
    redrivenBy: optional(row.RedrivenBy),
  };
}

function optional(cell: Cell | undefined): string | undefined {
  return cell === null || cell === undefined ? undefined : String(cell);
}

function joined(parts: readonly unknown[]): Buffer | null {
  const bytes = parts.flatMap((part) => (typeof part === 'string' ? [Buffer.from(part, 'base64')] : []));
  return bytes.length === 0 ? null : Buffer.concat(bytes);
}

type KeptHeader = Readonly<Record<'name' | 'text' | 'base64', unknown>>;

function headersOf(json: unknown): { readonly headers: RecordHeader[]; readonly isWhole: boolean } {
  const list: unknown = typeof json === 'string' ? JSON.parse(json) : [];
  const kept: readonly KeptHeader[] = Array.isArray(list) ? list : [];
  const headers = kept.map(({ name, text, base64 }) => ({
    name: String(name),
    value: typeof base64 === 'string' ? Buffer.from(base64, 'base64') : Buffer.from(String(text ?? '')),
  }));
  return { headers, isWhole: kept.every(({ text, base64 }) => text !== undefined || base64 !== undefined) };
}
