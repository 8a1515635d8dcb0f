/** One tensor of a batch that a test makes. */
export interface TestTensor {
  dtype: string;
  shape: number[];
  data: Uint8Array;
}

/** Writes a safetensors body byte by byte, on its own: the reader under test must not be judged by its own writer. */
export function batchBody(metadata: Record<string, string> | undefined, tensors: Record<string, TestTensor>): Buffer {
  const header: Record<string, unknown> = {};
  if (metadata !== undefined) header.__metadata__ = metadata;
  const parts: Buffer[] = [];
  let at = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + data.byteLength] };
    parts.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    at += data.byteLength;
  }
  return rawBody(JSON.stringify(header), Buffer.concat(parts));
}

/** Puts a header, padded with spaces so that the data starts at a multiple of 64, before data. */
export function rawBody(header: string, data: Uint8Array): Buffer {
  const text = Buffer.from(header);
  const padded = Buffer.concat([text, Buffer.alloc((64 - ((8 + text.length) % 64)) % 64, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, data]);
}

export function float32(values: readonly number[], width?: number): TestTensor {
  const data = new Uint8Array(Float32Array.from(values).buffer);
  return { dtype: 'F32', shape: width === undefined ? [values.length] : [values.length / width, width], data };
}

export function int32(values: readonly number[]): TestTensor {
  return { dtype: 'I32', shape: [values.length], data: new Uint8Array(Int32Array.from(values).buffer) };
}

export function int64(values: readonly number[]): TestTensor {
  return { dtype: 'I64', shape: [values.length], data: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) };
}

export function uint8(values: readonly number[], dtype = 'U8'): TestTensor {
  return { dtype, shape: [values.length], data: Uint8Array.from(values) };
}
