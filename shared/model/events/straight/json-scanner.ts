import { isUtf8 } from 'node:buffer';
import { type JsonValue, parseExactJsonText } from '../values/exact-json.ts';
import { type FieldTree, findMember, type ObjectShape, REMEMBERED_BYTES, REMEMBERED_MEMBERS } from './field-tree.ts';
import type { RecordScanner } from './record-scanner.ts';
import { JsonSkipper, skipSpace } from './skip-json.ts';
import { MISSING, OTHER, STRING } from './value-kind.ts';

/**
 * Finds the values that columns need in the bytes of a JSON object, in one pass and without making anything of them.
 *
 * Producers repeat the order and the spelling of their members: each is first compared with what stood in its place in
 * the record before.
 */
export class JsonScanner implements RecordScanner {
  readonly kinds: Int32Array;
  readonly froms: Int32Array;
  readonly tos: Int32Array;
  readonly sources: readonly (Buffer | undefined)[];
  readonly maxSourceBytes = 0;
  readonly numbers = new Float64Array(0);
  private readonly root: ObjectShape;
  private readonly skipper = new JsonSkipper();
  /** The member that `readName` found. */
  private member = -1;

  constructor({ root, slotCount }: FieldTree) {
    this.root = root;
    this.kinds = new Int32Array(slotCount);
    this.froms = new Int32Array(slotCount);
    this.tos = new Int32Array(slotCount);
    this.sources = new Array(slotCount).fill(undefined);
  }

  /**
   * Fills the slots.
   *
   * @returns false for what is no JSON object in valid UTF-8, and for one that is left to the general path: where a
   * wanted member comes twice, a name near one is written with escapes, or something is nested very deeply
   */
  scan(bytes: Buffer): boolean {
    const { kinds, skipper } = this;
    for (let slot = 0; slot < kinds.length; slot++) kinds[slot] = MISSING;
    skipper.high = 0;
    const from = skipSpace(bytes, 0);
    if (from >= bytes.length || bytes[from] !== 0x7b) return false;
    const to = this.object(this.root, bytes, from + 1);
    if (to < 0 || skipSpace(bytes, to) !== bytes.length) return false;
    return skipper.high < 0x80 || isUtf8(bytes);
  }

  read(slot: number, bytes: Buffer): JsonValue {
    const text = bytes.toString('utf8', this.froms[slot], this.tos[slot]);
    return this.kinds[slot] === STRING ? text : parseExactJsonText(text);
  }

  /** @param from after the opening brace; @returns after the closing one, -1 where the general path must look */
  private object(shape: ObjectShape, bytes: Buffer, from: number): number {
    const { length } = bytes;
    let at = from;
    for (let count = 0; ; count++) {
      let value = repeated(shape, count, bytes, at);
      let member = -1;
      if (value >= 0) {
        member = shape.spelledMembers[count] ?? -1;
        if ((bytes[value] ?? 0) <= 0x20) value = skipSpace(bytes, value);
      } else {
        if (count === 0) {
          const first = skipSpace(bytes, at);
          if (first < length && bytes[first] === 0x7d) return first + 1;
        }
        value = this.readName(shape, count, bytes, at);
        if (value < 0) return -1;
        member = this.member;
      }
      at = member < 0 ? this.skipper.value(bytes, value) : this.wanted(shape, member, bytes, value);
      if (at < 0 || at >= length) return -1;
      let next = bytes[at++];
      if (next === 0x2c) continue;
      if (next !== 0x7d) {
        at = skipSpace(bytes, at - 1);
        if (at >= length) return -1;
        next = bytes[at++];
        if (next === 0x2c) continue;
        if (next !== 0x7d) return -1;
      }
      return at;
    }
  }

  private wanted(shape: ObjectShape, member: number, bytes: Buffer, from: number): number {
    const found = shape.members[member];
    if (found === undefined) return -1;
    const { slot, inside } = found;
    if (this.kinds[slot] !== MISSING) return -1;
    const { skipper } = this;
    let kind = OTHER;
    let to = -1;
    if (inside !== undefined && bytes[from] === 0x7b) to = this.object(inside, bytes, from + 1);
    else {
      to = skipper.value(bytes, from);
      kind = skipper.kind;
    }
    if (to < 0) return -1;
    const quote = kind === STRING ? 1 : 0;
    this.kinds[slot] = kind;
    this.froms[slot] = from + quote;
    this.tos[slot] = to - quote;
    return to;
  }

  /** Reads a member's name, and remembers its spelling; @returns where its value begins */
  private readName(shape: ObjectShape, count: number, bytes: Buffer, from: number): number {
    const { skipper } = this;
    const name = skipSpace(bytes, from);
    if (name >= bytes.length || bytes[name] !== 0x22) return -1;
    const highBefore = skipper.high;
    skipper.high = 0;
    const end = skipper.string(bytes, name + 1);
    const high = skipper.high >= 0x80;
    skipper.high |= highBefore;
    if (end < 0 || skipper.kind !== STRING) return -1;
    const colon = skipSpace(bytes, end);
    if (colon >= bytes.length || bytes[colon] !== 0x3a) return -1;
    const value = skipSpace(bytes, colon + 1);
    if (value >= bytes.length) return -1;
    this.member = findMember(shape, bytes, name + 1, end - 1);
    // What is not ASCII must be checked in every record anew.
    if (count < REMEMBERED_MEMBERS && !high) remember(shape, count, this.member, bytes, from, value);
    return value;
  }
}

function remember(
  shape: ObjectShape,
  count: number,
  member: number,
  bytes: Uint8Array,
  from: number,
  to: number,
): void {
  const { spelled, spelledLengths, spelledMembers } = shape;
  const length = to - from;
  if (length > REMEMBERED_BYTES) {
    spelledLengths[count] = 0;
    return;
  }
  const start = count * REMEMBERED_BYTES;
  for (let at = 0; at < length; at++) spelled[start + at] = bytes[from + at] ?? 0;
  spelledLengths[count] = length;
  spelledMembers[count] = member;
}

/** Where the value begins when the member is spelled as in the last record; else -1. */
function repeated(shape: ObjectShape, count: number, bytes: Uint8Array, from: number): number {
  if (count >= REMEMBERED_MEMBERS) return -1;
  const length = shape.spelledLengths[count] ?? 0;
  const to = from + length;
  // A value must follow.
  if (length === 0 || to >= bytes.length) return -1;
  const { spelled } = shape;
  let place = count * REMEMBERED_BYTES;
  for (let at = from; at < to; at++) if (bytes[at] !== spelled[place++]) return -1;
  return to;
}
