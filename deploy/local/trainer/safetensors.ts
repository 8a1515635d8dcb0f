/** The number types of safetensors that the trainer takes, with the bytes of one item. */
export const itemBytes = { F64: 8, I64: 8, F32: 4, I32: 4, U8: 1, BOOL: 1 } as const;

export type Dtype = keyof typeof itemBytes;

export interface Tensor {
  dtype: Dtype;
  shape: readonly number[];
  /** The items as they came: little-endian, a view into the body, aligned to nothing. */
  bytes: Uint8Array;
}

export interface Safetensors {
  metadata: ReadonlyMap<string, string>;
  tensors: ReadonlyMap<string, Tensor>;
}

/** The bytes are not a safetensors body that the trainer takes. */
export class SafetensorsError extends Error {
  override readonly name = 'SafetensorsError';
}

const LENGTH_BYTES = 8;
const ALIGNMENT_BYTES = 64;
const MAX_HEADER_BYTES = 1 << 20;
const MAX_TENSORS = 1024;

/**
 * Reads a safetensors body, `[u64 header length][JSON header][data]`, without copying the data.
 *
 * The data must start at a multiple of 64 bytes; tensors must not overlap, and only zero bytes, fewer than 64, may lie
 * between them or after the last.
 *
 * @throws {SafetensorsError} saying what is wrong and where
 * @see https://github.com/huggingface/safetensors#format
 */
export function readSafetensors(body: Uint8Array): Safetensors {
  const { header, data } = splitBody(body);
  const metadata = new Map<string, string>();
  const tensors = new Map<string, Tensor>();
  const spans: Span[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') {
      for (const [key, value] of readMetadata(entry)) metadata.set(key, value);
      continue;
    }
    if (tensors.size === MAX_TENSORS) throw new SafetensorsError(`The header has more than ${MAX_TENSORS} tensors`);
    const { dtype, shape, from, to } = readEntry(name, entry, data.length);
    tensors.set(name, { dtype, shape, bytes: data.subarray(from, to) });
    spans.push({ name, from, to });
  }
  checkSpans(spans, data);
  return { metadata, tensors };
}

interface Span {
  name: string;
  from: number;
  to: number;
}

function splitBody(body: Uint8Array): { header: Record<string, unknown>; data: Uint8Array } {
  if (body.length < LENGTH_BYTES) {
    throw new SafetensorsError(
      `A body starts with ${LENGTH_BYTES} bytes of header length; it has ${body.length} bytes`,
    );
  }
  const headerBytes = new DataView(body.buffer, body.byteOffset).getBigUint64(0, true);
  if (headerBytes > BigInt(Math.min(MAX_HEADER_BYTES, body.length - LENGTH_BYTES))) {
    throw new SafetensorsError(
      `The header claims ${headerBytes} bytes; the body has ${body.length}, a header at most ${MAX_HEADER_BYTES}`,
    );
  }
  const dataFrom = LENGTH_BYTES + Number(headerBytes);
  if (dataFrom % ALIGNMENT_BYTES !== 0) {
    throw new SafetensorsError(
      `The data starts at byte ${dataFrom}, not at a multiple of ${ALIGNMENT_BYTES}: pad the header with spaces`,
    );
  }
  return { header: parseHeader(body.subarray(LENGTH_BYTES, dataFrom)), data: body.subarray(dataFrom) };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new SafetensorsError('The header is not JSON in UTF-8', { cause });
  }
  if (!isRecord(header)) throw new SafetensorsError('The header is not a JSON object');
  return header;
}

function readMetadata(entry: unknown): [string, string][] {
  if (!isRecord(entry)) throw new SafetensorsError('__metadata__ is not a JSON object');
  return Object.entries(entry).map(([key, value]) => {
    if (typeof value !== 'string') throw new SafetensorsError(`__metadata__.${key} is not a string`);
    return [key, value];
  });
}

function readEntry(name: string, entry: unknown, dataBytes: number) {
  if (!isRecord(entry)) throw new SafetensorsError(`Tensor ${show(name)} is not described by a JSON object`);
  const dtype = entry.dtype;
  if (!isDtype(dtype)) {
    throw new SafetensorsError(
      `Tensor ${show(name)} has dtype ${show(dtype)}; taken are ${Object.keys(itemBytes).join(', ')}`,
    );
  }
  const shape = readNaturals(entry.shape);
  if (shape === undefined || shape.length > 8) {
    throw new SafetensorsError(
      `Tensor ${show(name)} has shape ${show(entry.shape)}; wanted are at most 8 whole numbers`,
    );
  }
  const [from, to, ...more] = readNaturals(entry.data_offsets) ?? [];
  if (from === undefined || to === undefined || more.length > 0 || from > to || to > dataBytes) {
    throw new SafetensorsError(
      `Tensor ${show(name)} has data_offsets ${show(entry.data_offsets)} in ${dataBytes} bytes of data`,
    );
  }
  const wantedBytes = shape.reduce((product, size) => product * size, itemBytes[dtype]);
  if (wantedBytes !== to - from) {
    throw new SafetensorsError(
      `Tensor ${show(name)}, ${dtype} ${show(shape)}, needs ${wantedBytes} bytes and has ${to - from}`,
    );
  }
  return { dtype, shape, from, to };
}

/** Bytes that no tensor owns could hide a lie about lengths, so they are bounded and must be zero. */
function checkSpans(spans: Span[], data: Uint8Array): void {
  spans.sort((a, b) => a.from - b.from || a.to - b.to);
  let at = 0;
  for (const { name, from, to } of [...spans, { name: 'the end', from: data.length, to: data.length }]) {
    if (from < at)
      throw new SafetensorsError(`Tensor ${show(name)} overlaps the one before it at byte ${from} of the data`);
    const gap = data.subarray(at, from);
    if (gap.length >= ALIGNMENT_BYTES || gap.some((byte) => byte !== 0)) {
      throw new SafetensorsError(`Bytes ${at} to ${from} of the data, before ${show(name)}, belong to no tensor`);
    }
    at = to;
  }
}

function readNaturals(value: unknown): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items: unknown[] = value;
  const naturals = items.filter((item): item is number => Number.isSafeInteger(item) && Number(item) >= 0);
  return naturals.length === items.length ? naturals : undefined;
}

function isDtype(value: unknown): value is Dtype {
  return typeof value === 'string' && Object.hasOwn(itemBytes, value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Names come from outside: quoted, and no longer than a line. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= 80 ? text : `${text.slice(0, 77)}…`;
}
