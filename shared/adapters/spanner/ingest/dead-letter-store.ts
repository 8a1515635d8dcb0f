import { type Cell, commitTimestampCell } from '../../../model/events/cell.ts';
import type { TableMutation } from '../../../model/events/change.ts';
import { type CompiledPipeline, tableNames } from '../../../model/events/compile-pipeline.ts';
import type { RawRecord, RecordHeader } from '../../../model/events/raw-record.ts';
import { resolveBatch } from '../../../model/events/resolve-batch.ts';
import type { SpannerChannel } from '../channel.ts';
import { type Query, type QueryRow, readSnapshot } from '../read-snapshot.ts';
import { runTransaction } from '../run-transaction.ts';
import { readStored } from './read-stored.ts';

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
  /** RFC 3339. */
  readonly recordedAt: string;
  /** RFC 3339; undefined until it was redriven. */
  readonly redrivenAt: string | undefined;
}

/** A dead letter with the record as it came. */
export interface StoredDeadLetter extends DeadLetterSummary {
  readonly record: RawRecord;
}

/** `redriven`: its row is in the table now. `skipped`: the guard says there is nothing to write. `poison`: it still is. */
export type RedriveOutcome =
  | { readonly outcome: 'redriven' | 'skipped' | 'already-redriven' }
  | { readonly outcome: 'poison'; readonly reason: string };

const SUMMARY = `SELECT Pipeline, DeadLetterId, Source, Topic, PartitionId, RecordOffset, EventId, Class,
  Reason, ValueBytes, RecordedAt, RedrivenAt
  FROM PenstockDeadLetters WHERE Part = 0`;

const PARTS = `SELECT RecordKey, RecordValue, TO_JSON_STRING(Headers) AS Headers, UNIX_MILLIS(OccurredAt) AS OccurredMs
  FROM PenstockDeadLetters WHERE Pipeline = @pipeline AND DeadLetterId = @id ORDER BY Part`;

function readLetters<T>(channel: SpannerChannel, attempted: string, run: (query: Query) => Promise<T>): Promise<T> {
  return readSnapshot(channel, { attempted, table: TABLE, deadlineMs: DEADLINE_MS }, run);
}

/** Lists dead letters, newest first. */
export async function listDeadLetters(
  channel: SpannerChannel,
  filter: { readonly pipeline: string | undefined; readonly limit: number },
): Promise<DeadLetterSummary[]> {
  const where = filter.pipeline === undefined ? '' : ' AND Pipeline = @pipeline';
  const sql = `${SUMMARY}${where} ORDER BY RecordedAt DESC, DeadLetterId LIMIT @limit`;
  const parameters = { limit: filter.limit, ...(filter.pipeline === undefined ? {} : { pipeline: filter.pipeline }) };
  const rows = await readLetters(channel, 'list dead letters', (query) => query(sql, parameters));
  return rows.map(summaryOf);
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
  const [heads, parts] = await readLetters(channel, `read dead letter ${id}`, async (query) => [
    await query(`${SUMMARY} AND Pipeline = @pipeline AND DeadLetterId = @id`, { pipeline, id }),
    await query(PARTS, { pipeline, id }),
  ]);
  const [head] = heads;
  if (!head) return undefined;
  const summary = summaryOf(head);
  const occurredMs = parts[0]?.OccurredMs;
  const record: RawRecord = {
    key: joined(parts.map((row) => row.RecordKey)),
    value: joined(parts.map((row) => row.RecordValue)),
    headers: headersOf(parts[0]?.Headers),
    timestampMs: typeof occurredMs === 'string' ? Number(occurredMs) : undefined,
    topic: summary.topic ?? '',
    partition: summary.partition ?? 0,
    offset: BigInt(summary.offset ?? 0),
  };
  return { ...summary, record };
}

/**
 * Sends a dead letter through today's pipeline: its row and the mark that it was redriven commit together, once.
 *
 * A pipeline with a guard keeps a newer row; without one, an upsert writes what the letter holds.
 *
 * @throws {ConstraintError} when Spanner refuses the row: the letter stays as it is
 */
export function redriveDeadLetter(
  channel: SpannerChannel,
  compiled: CompiledPipeline,
  letter: StoredDeadLetter,
): Promise<RedriveOutcome> {
  const mapped = [compiled.map(letter.record)];
  return runTransaction<RedriveOutcome>(channel, {
    attempted: `redrive dead letter ${letter.id} of pipeline ${letter.pipeline}`,
    table: tableNames(compiled),
    commit: compiled.pipeline.commit,
    run: async (reads) => {
      const [kept] = await reads.read(TABLE, [[letter.pipeline, letter.id, '0']], ['RedrivenAt']);
      if (!kept || kept[0] !== null) return { mutations: [], result: { outcome: 'already-redriven' } };
      const { mutations, dead, rowCount } = resolveBatch(compiled, mapped, await readStored(reads, compiled, mapped));
      const poison = dead[0];
      if (poison) return { mutations: [], result: { outcome: 'poison', reason: poison.reason } };
      const result = { outcome: rowCount > 0 ? 'redriven' : 'skipped' } as const;
      return { mutations: [...mutations, redrivenMutation(letter)], result };
    },
  });
}

function redrivenMutation({ pipeline, id }: DeadLetterSummary): TableMutation {
  const row: Cell[] = [pipeline, id, '0', commitTimestampCell];
  return {
    operation: 'update',
    table: TABLE,
    columns: ['Pipeline', 'DeadLetterId', 'Part', 'RedrivenAt'],
    rows: [row],
  };
}

type Fields = Readonly<Record<string, unknown>>;

function summaryOf(row: QueryRow): DeadLetterSummary {
  const optional = (value: unknown): string | undefined =>
    value === null || value === undefined ? undefined : String(value);
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
    recordedAt: String(row.RecordedAt),
    redrivenAt: optional(row.RedrivenAt),
  };
}

function joined(parts: readonly unknown[]): Buffer | null {
  const bytes = parts.flatMap((part) => (typeof part === 'string' ? [Buffer.from(part, 'base64')] : []));
  return bytes.length === 0 ? null : Buffer.concat(bytes);
}

function headersOf(json: unknown): RecordHeader[] {
  const list: unknown = typeof json === 'string' ? JSON.parse(json) : [];
  if (!Array.isArray(list)) return [];
  return list.map((header: Fields) => ({
    name: String(header.name),
    value:
      typeof header.base64 === 'string' ? Buffer.from(header.base64, 'base64') : Buffer.from(String(header.text ?? '')),
  }));
}
