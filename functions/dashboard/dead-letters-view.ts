import type { DeadLetterHead, DeadLetterRow } from '../../shared/adapters/spanner/overview-store.ts';
import type { DeadLetterView } from './view-model.ts';

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
export function viewDeadLetter(letter: DeadLetterRow, head: DeadLetterHead | undefined): DeadLetterView {
  return {
    pipeline: letter.pipeline,
    id: letter.id,
    source: letter.source,
    coordinates: coordinatesOf(letter),
    class: letter.class,
    reason: cut(letter.reason, REASON_CHARACTERS),
    preview: head?.value === undefined ? null : previewBytes(head.value),
    key: head?.key === undefined ? null : previewBytes(head.key),
    valueBytes: letter.valueBytes,
    recordedAtMs: letter.recordedAtMs,
  };
}

/** Bytes as text where they are text: what cannot be seen, or could turn the line around, is shown as its number. */
export function previewBytes(bytes: Uint8Array): string {
  const text = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(bytes);
  const visible = text.replace(/[\p{C}\p{Zl}\p{Zp}\uFFFD]/gu, escapeCharacter);
  return cut(visible, PREVIEW_CHARACTERS);
}

function escapeCharacter(character: string): string {
  if (character === '\uFFFD') return '\uFFFD';
  const code = character.codePointAt(0) ?? 0;
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

function coordinatesOf({ topic, partition, offset, eventId }: DeadLetterRow): string {
  if (topic !== undefined && offset !== undefined) return `${topic} / ${partition ?? '?'} / ${offset}`;
  return eventId === undefined ? (topic ?? 'unknown') : `event ${eventId}`;
}

function cut(text: string, characters: number): string {
  const all = [...text];
  return all.length <= characters ? text : `${all.slice(0, characters - 1).join('')}…`;
}
