import { fingerprintModuloAt } from './fingerprint.ts';
import type { Texts } from './vocabulary-index.ts';

/** What TypeScript's libraries have among the browser's alone. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
  ) => {
    readonly exports: {
      readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
      readonly moduloOfShort: (
        offsets: number,
        count: number,
        texts: number,
        divisor: number,
        into: number,
      ) => undefined;
    };
  };
};

const PAGE_BYTES = 65_536;
/** More texts than these are fingerprinted one by one: their bytes would have to lie in memory twice. */
const MAX_BYTES = 8 * 1024 * 1024;
/** `moduloOfShort` leaves this for a text that is not of 8 to 16 bytes. */
const LEFT = -1;

/**
 * `fingerprintModulo(fingerprint(text), divisor)` of many texts.
 *
 * Those of 8 to 16 bytes, as most keys are, in WebAssembly, which multiplies 64 bits at once: a tenth of the time that pairs of
 * halves take.
 *
 * @param divisor up to 2^20
 */
export function fingerprintModulos(texts: Texts, count: number, divisor: number): Int32Array {
  const { bytes, offsets } = texts;
  const from = offsets[0] ?? 0;
  const parts = new Int32Array(count).fill(LEFT);
  const textBytes = (offsets[count] ?? 0) - from;
  if (count > 0 && textBytes + count * 8 <= MAX_BYTES) shortOnes(texts, count, divisor, parts);
  for (let at = parts.indexOf(LEFT); at >= 0; at = parts.indexOf(LEFT, at + 1)) {
    parts[at] = fingerprintModuloAt(bytes, offsets[at] ?? 0, offsets[at + 1] ?? 0, divisor);
  }
  return parts;
}

function shortOnes({ bytes, offsets }: Texts, count: number, divisor: number, parts: Int32Array): void {
  const { memory, moduloOfShort } = program();
  const from = offsets[0] ?? 0;
  const to = offsets[count] ?? 0;
  const partsAt = (count + 1) * 4;
  const textsAt = partsAt + count * 4;
  const missing = textsAt + to - from - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
  new Int32Array(memory.buffer, 0, count + 1).set(offsets.subarray(0, count + 1));
  new Uint8Array(memory.buffer, textsAt, to - from).set(bytes.subarray(from, to));
  moduloOfShort(0, count, textsAt - from, divisor, partsAt);
  parts.set(new Int32Array(memory.buffer, partsAt, count));
}

let loaded: InstanceType<typeof WebAssembly.Instance>['exports'] | undefined;

function program() {
  loaded ??= new WebAssembly.Instance(new WebAssembly.Module(moduleBytes())).exports;
  return loaded;
}

/** Instructions, as far as they are needed here. https://webassembly.github.io/spec/core/binary/instructions.html */
const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const tee = (local: number): number[] => [0x22, local];
const i32 = (value: number): number[] => [0x41, ...signed(BigInt(value))];
const i64 = (value: bigint): number[] => [0x42, ...signed(BigInt.asIntN(64, value))];
const load32 = (offset: number): number[] => [0x28, 2, offset];
const load64 = [0x29, 0, 0];
const store32 = [0x36, 2, 0];
const add32 = 0x6a;
const sub32 = 0x6b;
const shiftLeft32 = 0x74;
const greater32 = 0x4b;
const isZero32 = 0x45;
const extend = 0xad;
const wrap = 0xa7;
const add64 = 0x7c;
const sub64 = 0x7d;
const mul64 = 0x7e;
const rest64 = 0x81;
const xor64 = 0x85;
const shiftSigned64 = 0x87;
const shift64 = 0x88;
const rotateRight64 = 0x8a;
const block = [0x02, 0x40];
const loop = [0x03, 0x40];
const ifGivesInt = [0x04, 0x7f];
const orElse = 0x05;
const end = 0x0b;
const branch = (depth: number): number[] => [0x0c, depth];
const branchIf = (depth: number): number[] => [0x0d, depth];

const K2 = 0x9ae16a3b2f90404fn;

/** Locals of the function: its parameters first. */
const [offsets, count, texts, divisor, into, at, length] = [0, 1, 2, 3, 4, 5, 6];
const [mul, a, b, c, d] = [7, 8, 9, 10, 11];

/** FarmHash's `HashLen0to16` from 8 bytes on, then ABS(MOD(…, divisor)), text by text. */
function moduloOfShort(): number[] {
  const shiftMix = (local: number): number[] => [...tee(local), ...get(local), ...i64(47n), shift64, xor64];
  return [
    ...[...block, ...loop, ...get(count), isZero32, ...branchIf(1)],
    ...[...get(offsets), ...load32(4), ...get(offsets), ...load32(0), ...tee(at), sub32, ...set(length)],
    ...[...get(at), ...get(texts), add32, ...set(at), ...get(into)],
    ...[...get(length), ...i32(8), sub32, ...i32(8), greater32, ...ifGivesInt, ...i32(LEFT), orElse],
    // mul = K2 + length * 2; a = fetch(text) + K2; b = fetch(text + length - 8)
    ...[...get(length), ...i32(1), shiftLeft32, extend, ...i64(K2), add64, ...set(mul)],
    ...[...get(at), ...load64, ...i64(K2), add64, ...set(a)],
    ...[...get(at), ...get(length), add32, ...i32(8), sub32, ...load64, ...set(b)],
    // c = rotate(b, 37) * mul + a; d = (rotate(a, 25) + b) * mul
    ...[...get(b), ...i64(37n), rotateRight64, ...get(mul), mul64, ...get(a), add64, ...set(c)],
    ...[...get(a), ...i64(25n), rotateRight64, ...get(b), add64, ...get(mul), mul64, ...set(d)],
    // HashLen16(c, d, mul)
    ...[...get(c), ...get(d), xor64, ...get(mul), mul64, ...shiftMix(a)],
    ...[...get(d), xor64, ...get(mul), mul64, ...shiftMix(b), ...get(mul), mul64],
    // What is left of a signed number has its sign.
    ...[...get(divisor), extend, rest64, ...tee(b), ...get(b), ...i64(63n), shiftSigned64, xor64],
    ...[...get(b), ...i64(63n), shiftSigned64, sub64, wrap, end, ...store32],
    ...[...get(offsets), ...i32(4), add32, ...set(offsets), ...get(into), ...i32(4), add32, ...set(into)],
    ...[...get(count), ...i32(1), sub32, ...set(count), ...branch(0), end, end, end],
  ];
}

/** https://webassembly.github.io/spec/core/binary/modules.html */
function moduleBytes(): Uint8Array {
  const name = (text: string): number[] => [text.length, ...Buffer.from(text)];
  const section = (id: number, content: readonly number[]): number[] => [id, ...unsigned(content.length), ...content];
  const [int32, int64] = [0x7f, 0x7e];
  const body = [2, 2, int32, 5, int64, ...moduloOfShort()];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 5, int32, int32, int32, int32, int32, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('moduloOfShort'), 0, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ]);
}

function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: bigint): number[] {
  const low = Number(value & 0x7fn);
  const rest = value >> 7n;
  const isLast = (rest === 0n && low < 0x40) || (rest === -1n && low >= 0x40);
  return isLast ? [low] : [low | 0x80, ...signed(rest)];
}
