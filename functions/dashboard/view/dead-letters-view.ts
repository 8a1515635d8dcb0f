import type { DeadLetterHead, DeadLetterRow } from '../../../shared/adapters/spanner/overview-store.ts';
import { masked, maskReason, type RecordMask } from '../../../shared/model/access/mask-record.ts';
import type { DeadLetterView } from './view-model.ts';
import { showHidden } from './words.ts';

const PREVIEW_CHARACTERS = 120;
const REASON_CHARACTERS = 300;

/** The newest of the letters that wait, at most `limit`. */
export function newestDeadLetters(letters: readonly DeadLetterRow[], limit: number): DeadLetterRow[] {
  return letters
    .filter(({ redriven }) => !redriven)
    .sort((a, b) => b.recordedAtMs - a.recordedAtMs || (a.id < b.id ? -1 : 1))
    .slice(0, limit);
}

/** One letter as a person reads it, with the first bytes of what it holds. */
export function viewDeadLetter(
  letter: DeadLetterRow,
  head: DeadLetterHead | undefined,
  mask: RecordMask | undefined,
): DeadLetterView {
  const reason = mask ? maskReason(letter.reason) : letter.reason;
  return {
    pipeline: letter.pipeline,
    id: letter.id,
    source: letter.source,
    coordinates: showHidden(coordinatesOf(letter)),
    class: letter.class,
    reason: cut(showHidden(reason), REASON_CHARACTERS),
    // The first bytes of a value are seldom whole JSON, of which fields could be told.
    preview: head?.value === undefined ? null : mask ? masked : previewBytes(head.value),
    key: head?.key === undefined ? null : mask && !mask.key ? masked : previewBytes(head.key),
    valueBytes: letter.valueBytes,
    recordedAtMs: letter.recordedAtMs,
  };
}

/**
 * Bytes as text where they are UTF-8, else as ASCII with every other byte as its number: a reader can tell what was
 * there.
 */
export function previewBytes(bytes: Uint8Array): string {
  const text = readUtf8(bytes) ?? Array.from(bytes, readAscii).join('');
  return cut(showHidden(text), PREVIEW_CHARACTERS);
}

/** The bytes may have been cut within their last character, which is then left out. */
function readUtf8(bytes: Uint8Array): string | undefined {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return decoder.decode(bytes, { stream: true });
  } catch {
    return undefined;
  }
}

function readAscii(byte: number): string {
  return byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`;
}

function coordinatesOf({ topic, partition, offset, eventId }: DeadLetterRow): string {
  if (topic !== undefined && offset !== undefined) return `${topic} / ${partition ?? '?'} / ${offset}`;
  return eventId === undefined ? (topic ?? 'unknown') : `event ${eventId}`;
}

function cut(text: string, characters: number): string {
  const all = [...text];
  return all.length <= characters ? text : `${all.slice(0, characters - 1).join('')}…`;
}
