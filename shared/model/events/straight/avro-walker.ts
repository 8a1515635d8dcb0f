import { isUtf8 } from 'node:buffer';
import { readAvro } from '../../formats/avro/read-avro.ts';
import { ByteCursor } from '../../formats/byte-cursor.ts';
import type { JsonValue } from '../values/exact-json.ts';
import { type AvroStep, WALK } from './avro-step.ts';
import type { RecordScanner } from './record-scanner.ts';
import { FALSE, MISSING, OTHER, STRING, TRUE } from './value-kind.ts';

/** What nests deeper is left to the general path. */
const MAX_DEPTH = 64;
/** The general path allows 65,536 values and 4 a byte, unions and what they hold counted apart. */
const MIN_VALUES = 16_384;
/** Groups of 7 bits that 32-bit arithmetic holds, and that a double holds. */
const SMALL_GROUPS = 4;
const PLAIN_GROUPS = 7;
const INT_MAX = 2 ** 31 - 1;
const INT_MIN = -(2 ** 31);

/** Thrown and caught in here: the general path must look at the record, and says what is wrong. */
const odd = new Error('The record is left to the general path');

/** Finds the values that columns need in the bytes of a record that one schema wrote. */
export class AvroWalker implements RecordScanner {
  readonly kinds: Int32Array;
  readonly froms: Int32Array;
  readonly tos: Int32Array;
  readonly sources: (Buffer | undefined)[];
  readonly maxSourceBytes: number;
  readonly numbers: Float64Array;
  private readonly root: AvroStep;
  private readonly headBytes: number;
  private readonly steps: (AvroStep | undefined)[];
  private readonly double = new Float64Array(1);
  private readonly doubleBytes = new Uint8Array(this.double.buffer);
  private readonly float = new Float32Array(1);
  private readonly floatBytes = new Uint8Array(this.float.buffer);
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;
  private valuesLeft = 0;

  /** @param headBytes what stands before the value: a registry's frame */
  constructor(root: AvroStep, slotCount: number, headBytes: number) {
    this.root = root;
    this.maxSourceBytes = longestSymbol(root, new Set());
    this.headBytes = headBytes;
    this.kinds = new Int32Array(slotCount);
    this.froms = new Int32Array(slotCount);
    this.tos = new Int32Array(slotCount);
    this.numbers = new Float64Array(slotCount);
    this.sources = new Array(slotCount).fill(undefined);
    this.steps = new Array(slotCount).fill(undefined);
  }

  scan(bytes: Buffer): boolean {
    const { kinds } = this;
    for (let slot = 0; slot < kinds.length; slot++) kinds[slot] = MISSING;
    this.bytes = bytes;
    this.at = this.headBytes;
    this.valuesLeft = MIN_VALUES + bytes.length;
    try {
      this.walk(this.root, 0);
      return this.at === bytes.length;
    } catch {
      return false;
    }
  }

  read(slot: number, bytes: Buffer): JsonValue {
    const source = this.sources[slot] ?? bytes;
    if (this.kinds[slot] === STRING) return source.toString('utf8', this.froms[slot], this.tos[slot]);
    const step = this.steps[slot];
    if (!step) throw odd;
    return readAvro(step.type, bytes.subarray(this.froms[slot], this.tos[slot]));
  }

  private walk(step: AvroStep, depth: number): void {
    const from = this.at;
    if (--this.valuesLeft < 0 || depth > MAX_DEPTH) throw odd;
    switch (step.walk) {
      case WALK.null:
        this.keep(step, step.kind, from);
        break;
      case WALK.boolean: {
        const byte = this.byte();
        if (byte > 1) throw odd;
        this.keep(step, byte === 0 && step.kind === TRUE ? FALSE : step.kind, from);
        break;
      }
      case WALK.int: {
        const value = this.zigzag();
        if (value > INT_MAX || value < INT_MIN) throw odd;
        this.keepNumber(step, step.kind, value, from);
        break;
      }
      case WALK.long:
        this.walkLong(step, from);
        break;
      case WALK.float:
        this.keepNumber(step, step.kind, this.readFloat(), from);
        break;
      case WALK.double:
        this.keepNumber(step, step.kind, this.readDouble(), from);
        break;
      case WALK.bytes:
        this.skip(this.zigzag());
        this.keep(step, OTHER, from);
        break;
      case WALK.string:
        this.walkString(step, from);
        break;
      case WALK.fixed:
        this.skip(step.size);
        this.keep(step, OTHER, from);
        break;
      case WALK.enum:
        this.walkEnum(step, from);
        break;
      case WALK.union: {
        const branch = step.steps[this.zigzag()];
        if (!branch) throw odd;
        this.walk(branch, depth + 1);
        break;
      }
      case WALK.record:
        this.walkFields(step.steps, depth + 1);
        this.keep(step, OTHER, from);
        break;
      default:
        this.walkBlocks(step, depth + 1);
        this.keep(step, OTHER, from);
    }
  }

  /** Most fields are short numbers and texts in ASCII: these without a call for each. */
  private walkFields(steps: readonly AvroStep[], depth: number): void {
    const { bytes } = this;
    const { length } = bytes;
    for (let field = 0; field < steps.length; field++) {
      const step = steps[field];
      if (step === undefined) continue;
      const from = this.at;
      const first = from < length ? (bytes[from] ?? 0) : 0x80;
      if (step.walk === WALK.string && first < 0x80 && (first & 1) === 0) {
        const start = from + 1;
        const end = start + (first >>> 1);
        let high = end > length ? 0x80 : 0;
        for (let place = start; place < end; place++) high |= bytes[place] ?? 0x80;
        if (high < 0x80) {
          if (--this.valuesLeft < 0 || depth > MAX_DEPTH) throw odd;
          this.at = end;
          this.keep(step, step.kind, step.kind === STRING ? start : from);
          continue;
        }
      } else if (step.walk === WALK.int || step.walk === WALK.long) {
        const second = from + 1 < length ? (bytes[from + 1] ?? 0) : 0x80;
        if ((first & second) < 0x80) {
          if (--this.valuesLeft < 0 || depth > MAX_DEPTH) throw odd;
          const coded = first < 0x80 ? first : (first & 0x7f) | (second << 7);
          this.at = first < 0x80 ? from + 1 : from + 2;
          this.keepNumber(step, step.kind, (coded >>> 1) ^ -(coded & 1), from);
          continue;
        }
      }
      this.walk(step, depth);
    }
  }

  private keep(step: AvroStep, kind: number, from: number): void {
    const { slot } = step;
    if (slot < 0) return;
    this.kinds[slot] = kind;
    this.froms[slot] = from;
    this.tos[slot] = this.at;
    if (this.steps[slot] !== step) this.steps[slot] = step;
    if (this.sources[slot] !== undefined) this.sources[slot] = undefined;
  }

  private keepNumber(step: AvroStep, kind: number, value: number, from: number): void {
    this.keep(step, kind, from);
    if (step.slot >= 0) this.numbers[step.slot] = value;
  }

  private walkLong(step: AvroStep, from: number): void {
    const value = this.zigzag();
    this.keepNumber(step, Number.isSafeInteger(value) ? step.kind : OTHER, value, from);
  }

  private walkString(step: AvroStep, start: number): void {
    const length = this.zigzag();
    const from = this.at;
    this.skip(length);
    const { bytes, at } = this;
    let high = 0;
    for (let place = from; place < at; place++) high |= bytes[place] ?? 0;
    if (high >= 0x80 && !isUtf8(bytes.subarray(from, at))) throw odd;
    this.keep(step, step.kind, step.kind === STRING ? from : start);
  }

  private walkEnum(step: AvroStep, from: number): void {
    const symbol = step.symbols[this.zigzag()];
    if (!symbol) throw odd;
    this.keep(step, step.kind, step.kind === STRING ? 0 : from);
    if (step.slot < 0 || step.kind !== STRING) return;
    this.sources[step.slot] = symbol;
    this.tos[step.slot] = symbol.length;
  }

  private walkBlocks(step: AvroStep, depth: number): void {
    const item = step.steps[0];
    for (let count = this.zigzag(); count !== 0; count = this.zigzag()) {
      const size = count < 0 ? this.zigzag() : -1;
      const from = this.at;
      if (Math.abs(count) > this.valuesLeft || size > this.bytes.length - from || !item) throw odd;
      for (let left = Math.abs(count); left > 0; left--) {
        if (step.walk === WALK.map) this.walkName();
        this.walk(item, depth);
      }
      if (count < 0 && this.at !== from + size) throw odd;
    }
  }

  private walkName(): void {
    const length = this.zigzag();
    const from = this.at;
    this.skip(length);
    if (!isUtf8(this.bytes.subarray(from, this.at))) throw odd;
  }

  private byte(): number {
    const { bytes, at } = this;
    if (at >= bytes.length) throw odd;
    this.at = at + 1;
    return bytes[at] ?? 0;
  }

  private skip(length: number): void {
    if (length < 0 || length > this.bytes.length - this.at) throw odd;
    this.at += length;
  }

  private readDouble(): number {
    const from = this.at;
    this.skip(8);
    const { bytes, doubleBytes } = this;
    for (let byte = 0; byte < 8; byte++) doubleBytes[byte] = bytes[from + byte] ?? 0;
    return this.double[0] ?? 0;
  }

  private readFloat(): number {
    const from = this.at;
    this.skip(4);
    const { bytes, floatBytes } = this;
    for (let byte = 0; byte < 4; byte++) floatBytes[byte] = bytes[from + byte] ?? 0;
    return this.float[0] ?? 0;
  }

  /** A signed number; not exact beyond what a double holds. */
  private zigzag(): number {
    const { bytes } = this;
    const { length } = bytes;
    let { at } = this;
    let small = 0;
    for (let shift = 0; shift < 7 * SMALL_GROUPS; shift += 7) {
      if (at >= length) throw odd;
      const byte = bytes[at++] ?? 0;
      small |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.at = at;
        return (small >>> 1) ^ -(small & 1);
      }
    }
    return this.longZigzag(small, at);
  }

  private longZigzag(low: number, from: number): number {
    const { bytes } = this;
    let value = low;
    let scale = 2 ** (7 * SMALL_GROUPS);
    let at = from;
    for (let group = SMALL_GROUPS; group < PLAIN_GROUPS; group++) {
      if (at >= bytes.length) throw odd;
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) {
        this.at = at;
        return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      }
    }
    const cursor = new ByteCursor(bytes, from - SMALL_GROUPS);
    const whole = cursor.zigzag();
    this.at = cursor.at;
    return Number(whole);
  }
}

function longestSymbol(step: AvroStep, seen: Set<AvroStep>): number {
  if (seen.has(step)) return 0;
  seen.add(step);
  let longest = 0;
  for (const symbol of step.symbols) longest = Math.max(longest, symbol.length);
  for (const inner of step.steps) longest = Math.max(longest, longestSymbol(inner, seen));
  return longest;
}
