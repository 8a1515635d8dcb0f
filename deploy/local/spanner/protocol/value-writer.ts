import type { WireForm } from './wire-form.ts';

const SHORT_TEXT = 48;
const LIST_TAG = 0x32;
const STRING_TAG = 0x1a;

/** Writes protobuf's bytes of `google.protobuf.Value` and the few fields around it, faster than a general library. */
export class ValueWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** Forgets what was written behind a length. */
  truncate(length: number): void {
    this.#length = length;
  }

  /** A copy of all that was written; the writer is empty then. */
  take(): Buffer {
    const copy = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return copy;
  }

  /** One field with a value: its tag, its length, the value. */
  value(tag: number, form: WireForm): void {
    this.#reserve(32);
    this.#bytes[this.#length++] = tag;
    if (typeof form === 'string') this.#text(form);
    else if (form === null) this.#small(0x08, 0);
    else if (typeof form === 'boolean') this.#small(0x20, form ? 1 : 0);
    else if (typeof form === 'number') this.#double(form);
    else this.#list(form);
  }

  /** One field of bytes. */
  field(tag: number, content: Uint8Array): void {
    this.#reserve(content.length + 16);
    this.#bytes[this.#length++] = tag;
    this.#varint(content.length);
    this.#bytes.set(content, this.#length);
    this.#length += content.length;
  }

  /** One field that is true. */
  flag(tag: number): void {
    this.#reserve(2);
    this.#bytes[this.#length++] = tag;
    this.#bytes[this.#length++] = 1;
  }

  #small(tag: number, content: number): void {
    this.#bytes[this.#length++] = 2;
    this.#bytes[this.#length++] = tag;
    this.#bytes[this.#length++] = content;
  }

  #double(value: number): void {
    this.#bytes[this.#length++] = 9;
    this.#bytes[this.#length++] = 0x11;
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  #text(text: string): void {
    if (text.length <= SHORT_TEXT && this.#shortAscii(text)) return;
    const size = Buffer.byteLength(text);
    this.#reserve(size + 16);
    this.#varint(1 + varintSize(size) + size);
    this.#bytes[this.#length++] = STRING_TAG;
    this.#varint(size);
    this.#length += this.#bytes.write(text, this.#length);
  }

  #shortAscii(text: string): boolean {
    this.#reserve(SHORT_TEXT + 8);
    const bytes = this.#bytes;
    const start = this.#length;
    const size = text.length;
    bytes[start] = size + 2;
    bytes[start + 1] = STRING_TAG;
    bytes[start + 2] = size;
    for (let i = 0; i < size; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[start + 3 + i] = code;
    }
    this.#length = start + 3 + size;
    return true;
  }

  #list(elements: readonly WireForm[]): void {
    const outer = this.#open();
    this.#reserve(2);
    this.#bytes[this.#length++] = LIST_TAG;
    const inner = this.#open();
    for (const element of elements) this.value(0x0a, element);
    this.#close(inner);
    this.#close(outer);
  }

  /** Begins a message whose length is not known yet. */
  #open(): number {
    this.#reserve(8);
    this.#length += 1;
    return this.#length;
  }

  /** Ends it: its content moves up where the length needs more than the one byte kept for it. */
  #close(start: number): void {
    const size = this.#length - start;
    const extra = varintSize(size) - 1;
    if (extra > 0) {
      this.#reserve(extra);
      this.#bytes.copyWithin(start + extra, start, this.#length);
    }
    this.#length = start - 1;
    this.#varint(size);
    this.#length += size;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#length + size));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}
