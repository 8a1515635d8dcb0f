import type { TableMutation } from '../resolve/change.ts';
import { type Cell, commitTimestampCell } from '../values/cell.ts';
import { timestampOfMs } from '../values/timestamp.ts';
import type { PoisonClass } from './poison.ts';
import type { RawRecord } from './raw-record.ts';

/** Well under a cell's 10 MiB. */
const PART_BYTES = 8 * 1024 * 1024;
const MAX_REASON_CHARACTERS = 4_096;
const MAX_HEADER_CHARACTERS = 8 * 1024 * 1024;

/** The columns of PenstockDeadLetters that setting aside fills. */
export const deadLetterColumns = [
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
  'RecordKey',
  'RecordValue',
  'Headers',
  'PartCount',
  'ValueBytes',
  'PipelineVersion',
  'OccurredAt',
  'RecordedAt',
] as const;

/** A record that is set aside. */
export interface DeadLetter {
  readonly pipeline: string;
  /** As `pipelineVersion` names it. */
  readonly pipelineVersion: string;
  /** Unique in the pipeline, and the same whenever the same record is set aside. */
  readonly id: string;
  readonly source: 'kafka' | 'pubsub';
  /** Pub/Sub's message id; undefined for Kafka. */
  readonly eventId: string | undefined;
  readonly record: RawRecord;
  readonly poison: PoisonClass;
  readonly reason: string;
}

/** Into how many rows a record's bytes are cut. */
export function partCountOf({ key, value }: RawRecord): number {
  return Math.max(1, Math.ceil((value?.length ?? 0) / PART_BYTES), Math.ceil((key?.length ?? 0) / PART_BYTES));
}

/**
 * The rows of PenstockDeadLetters for records set aside.
 *
 * Key and value are kept byte for byte; what is over 8 MiB continues in further parts, which repeat everything but bytes
 * and headers. An absent key or value is NULL, an empty one is empty. A letter of the same id is replaced: what is set aside
 * again waits again, whatever became of it before.
 */
export function deadLetterMutation(letters: readonly DeadLetter[]): TableMutation {
  return {
    operation: 'replace',
    table: 'PenstockDeadLetters',
    columns: deadLetterColumns,
    rows: letters.flatMap(partsOf),
  };
}

function partsOf(letter: DeadLetter): Cell[][] {
  const { record } = letter;
  const partCount = partCountOf(record);
  return Array.from({ length: partCount }, (_, part) => [
    letter.pipeline,
    letter.id,
    String(part),
    letter.source,
    record.topic,
    letter.source === 'kafka' ? String(record.partition) : null,
    letter.source === 'kafka' ? String(record.offset) : null,
    letter.eventId ?? null,
    letter.poison,
    cutReason(letter.reason),
    slice(record.key, part),
    slice(record.value, part),
    part === 0 ? headersJson(record) : null,
    String(partCount),
    String(record.value?.length ?? 0),
    letter.pipelineVersion,
    record.timestampMs === undefined ? null : (timestampOfMs(record.timestampMs) ?? null),
    commitTimestampCell,
  ]);
}

function slice(bytes: Buffer | null, part: number): Cell {
  if (bytes === null) return null;
  if (part > 0 && bytes.length <= part * PART_BYTES) return null;
  return bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES).toString('base64');
}

/** A reason as its column holds it. */
export function cutReason(reason: string): string {
  const text = reason.toWellFormed();
  return text.length <= MAX_REASON_CHARACTERS ? text : `${text.slice(0, MAX_REASON_CHARACTERS - 1).toWellFormed()}…`;
}

/** Headers in order, each as text, or in base64 where it is not UTF-8; without their values when they are over 8 MiB. */
function headersJson({ headers }: RawRecord): Cell {
  if (headers.length === 0) return null;
  const list = headers.map(({ name, value }) => {
    const text = value.toString('utf8');
    return Buffer.from(text).equals(value) ? { name, text } : { name, base64: value.toString('base64') };
  });
  const json = JSON.stringify(list);
  if (json.length <= MAX_HEADER_CHARACTERS) return json;
  return JSON.stringify(
    headers.slice(0, 1000).map(({ name, value }) => ({ name: name.slice(0, 256), bytes: value.length })),
  );
}
