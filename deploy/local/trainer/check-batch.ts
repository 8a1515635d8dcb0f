import type { Announcement, TensorSpec } from './announcement.ts';
import { Problem } from './problem.ts';
import { ArrowError } from './read-arrow.ts';
import { readTensors } from './read-tensors.ts';
import { readTimestampNs } from './read-timestamp.ts';
import { type Safetensors, SafetensorsError, type Tensor } from './safetensors.ts';

/** Where a batch belongs, as its address says. */
export interface BatchPlace {
  epoch: string;
  shard: number;
  sequence: number;
}

/** A batch that agrees with its address and its epoch. */
export interface CheckedBatch {
  rowCount: number;
  role: 'train' | 'evaluate' | 'test';
  tensors: ReadonlyMap<string, Tensor>;
}

/**
 * Checks a batch's metadata against its address, and its tensors against the announced ones, to the last id and label.
 *
 * @throws {Problem} 422 naming the first difference
 */
export function checkBatch(body: Uint8Array, announced: Announcement, place: BatchPlace): CheckedBatch {
  const { metadata, tensors } = readBody(body);
  agree('epoch', place.epoch, metadata.get('epoch'));
  agree('shard', String(place.shard), metadata.get('shard'));
  agree('sequence', String(place.sequence), metadata.get('sequence'));
  agree('planDigest', announced.planDigest, metadata.get('planDigest'));
  checkTimestamp(announced.readTimestamp, metadata.get('readTimestamp'));
  const rowCount = checkRows(metadata, announced.batchRows);
  const role = metadata.get('role');
  if (role !== 'train' && role !== 'evaluate' && role !== 'test') differ('role', 'train, evaluate or test', role);
  checkColumns(metadata.get('columns'));
  checkTensors(tensors, announced.tensors, rowCount);
  return { rowCount, role, tensors };
}

function readBody(body: Uint8Array): Safetensors {
  try {
    return readTensors(body);
  } catch (cause) {
    if (cause instanceof ArrowError) throw new Problem(422, 'Not an Arrow batch', cause.message);
    if (!(cause instanceof SafetensorsError)) throw cause;
    throw new Problem(422, 'Not safetensors', cause.message);
  }
}

function checkTimestamp(announced: string, given: string | undefined): void {
  // Compared as an instant: trailing zeros of the fraction mean nothing.
  if (given === undefined || readTimestampNs(given) !== readTimestampNs(announced))
    differ('readTimestamp', announced, given);
}

function checkRows(metadata: ReadonlyMap<string, string>, batchRows: number): number {
  const rows = readCount('rows', metadata);
  const from = readCount('rowFrom', metadata);
  const to = readCount('rowTo', metadata);
  if (from > to) differ('rowTo', `${from} (rowFrom) or more`, String(to));
  if (rows > to - from) differ('rows', `at most ${to - from}, what rowFrom and rowTo span`, String(rows));
  if (rows > batchRows) differ('rows', `at most ${batchRows}, the announced batchRows`, String(rows));
  return rows;
}

function readCount(key: string, metadata: ReadonlyMap<string, string>): number {
  const text = metadata.get(key);
  if (text === undefined || !/^(?:0|[1-9]\d{0,14})$/.test(text)) differ(key, 'a whole number as decimal digits', text);
  return Number(text);
}

function checkColumns(columns: string | undefined): void {
  try {
    JSON.parse(columns ?? '');
  } catch {
    differ('columns', 'JSON', columns);
  }
}

function checkTensors(tensors: ReadonlyMap<string, Tensor>, specs: readonly TensorSpec[], rowCount: number): void {
  for (const spec of specs) {
    const tensor = tensors.get(spec.name);
    if (tensor === undefined) throw refusal(`Tensor ${quote(spec.name)} was announced and is missing`);
    if (tensor.dtype !== spec.dtype) {
      throw refusal(`Tensor ${quote(spec.name)} was announced as ${spec.dtype} and is ${tensor.dtype}`);
    }
    const shape = spec.width === undefined ? [rowCount] : [rowCount, spec.width];
    if (shape.join() !== tensor.shape.join()) {
      throw refusal(`Tensor ${quote(spec.name)} must have shape [${shape}] and has [${tensor.shape}]`);
    }
    if (spec.categories !== undefined) checkRange(spec.name, tensor, spec.categories);
    if (spec.role === 'label') checkRange(spec.name, tensor, 2);
    if (spec.role === 'weight') checkWeights(spec.name, tensor);
  }
  if (tensors.size === specs.length) return;
  const stranger = [...tensors.keys()].find((name) => !specs.some((spec) => spec.name === name));
  throw refusal(`Tensor ${quote(stranger ?? '')} was not announced`);
}

/** A single wrong id would be an error deep in a training step, far from the reader that sent it. */
function checkRange(name: string, tensor: Tensor, below: number): void {
  const view = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.byteLength);
  const rows = tensor.shape[0] ?? 0;
  for (let row = 0; row < rows; row += 1) {
    const value = readItem(view, tensor, row);
    if (Number.isInteger(value) && value >= 0 && value < below) continue;
    throw refusal(`Tensor ${quote(name)} has ${value} in row ${row}; wanted are whole numbers from 0 to ${below - 1}`);
  }
}

/** A negative weight would teach the opposite of what a row says. */
function checkWeights(name: string, tensor: Tensor): void {
  const view = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.byteLength);
  for (let row = 0; row < (tensor.shape[0] ?? 0); row += 1) {
    const value = readItem(view, tensor, row);
    if (Number.isFinite(value) && value >= 0) continue;
    throw refusal(`Tensor ${quote(name)} has ${value} in row ${row}; wanted are finite numbers from 0`);
  }
}

function readItem(view: DataView, { dtype }: Tensor, row: number): number {
  switch (dtype) {
    case 'F64':
      return view.getFloat64(row * 8, true);
    case 'F32':
      return view.getFloat32(row * 4, true);
    case 'I64':
      return Number(view.getBigInt64(row * 8, true));
    case 'I32':
      return view.getInt32(row * 4, true);
    case 'U8':
    case 'BOOL':
      return view.getUint8(row);
  }
}

function agree(key: string, wanted: string, given: string | undefined): void {
  if (given !== wanted) differ(key, wanted, given);
}

function differ(key: string, wanted: string, given: string | undefined): never {
  throw refusal(`Metadata ${key} must be ${wanted} and is ${given === undefined ? 'missing' : quote(given)}`);
}

function refusal(detail: string): Problem {
  return new Problem(422, 'Batch refused', detail);
}

function quote(text: string): string {
  return JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 77)}…`);
}
