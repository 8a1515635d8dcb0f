import type { WireForm } from './wire-form.ts';

/** Values for one message; with `chunked` the last of them goes on in the next message. */
export interface RowPiece {
  readonly values: readonly WireForm[];
  readonly chunked: boolean;
}

interface Fragment {
  readonly form: WireForm;
  readonly continues: boolean;
  readonly size: number;
}

/**
 * Cuts a row that is too large for one message.
 *
 * Strings are cut between characters. Lists are cut so that a client's merge is unambiguous: it joins the last element
 * of a piece with the first of the next where both are strings, so a piece ends in the (maybe empty) beginning of a string.
 *
 * @param maxSize characters in one piece
 */
export function* splitRow(row: readonly WireForm[], maxSize: number): Generator<RowPiece, void, undefined> {
  let values: WireForm[] = [];
  let size = 0;
  for (const form of row) {
    for (const fragment of fragments(form, maxSize)) {
      if (values.length > 0 && size + fragment.size > maxSize) {
        yield { values, chunked: false };
        values = [];
        size = 0;
      }
      values.push(fragment.form);
      size += fragment.size;
      if (!fragment.continues) continue;
      yield { values, chunked: true };
      values = [];
      size = 0;
    }
  }
  if (values.length > 0) yield { values, chunked: false };
}

function* fragments(form: WireForm, maxSize: number): Generator<Fragment, void, undefined> {
  if (typeof form === 'string') yield* textFragments(form, maxSize);
  else if (typeof form === 'object' && form !== null) yield* listFragments(form, maxSize);
  else yield { form, continues: false, size: 8 };
}

function* textFragments(text: string, maxSize: number): Generator<Fragment, void, undefined> {
  let at = 0;
  do {
    const end = cutBetweenCharacters(text, at + maxSize);
    yield { form: text.slice(at, end), continues: end < text.length, size: end - at };
    at = end;
  } while (at < text.length);
}

function* listFragments(list: readonly WireForm[], maxSize: number): Generator<Fragment, void, undefined> {
  let part: WireForm[] = [];
  let size = 0;
  for (const element of list) {
    if (typeof element === 'string') {
      let at = 0;
      while (size + element.length - at > maxSize) {
        // At least one character goes with every piece, so that an empty one is never followed by the same cut.
        const end = size === 0 ? cutBetweenCharacters(element, at + maxSize) : at;
        part.push(element.slice(at, end));
        yield { form: part, continues: true, size: size + end - at };
        at = end;
        part = [];
        size = 0;
      }
      part.push(element.slice(at));
      size += element.length - at + 2;
      continue;
    }
    if (typeof element === 'number' && typeof part.at(-1) === 'number' && size > maxSize) {
      yield { form: part, continues: true, size };
      part = [];
      size = 0;
    }
    part.push(element);
    size += 9;
  }
  yield { form: part, continues: false, size };
}

function cutBetweenCharacters(text: string, at: number): number {
  if (at >= text.length) return text.length;
  const code = text.charCodeAt(at - 1);
  const isHighSurrogate = code >= 0xd800 && code <= 0xdbff;
  return isHighSurrogate ? at + 1 : at;
}
