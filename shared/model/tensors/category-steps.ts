import { type ColumnBlock, type ColumnVector, textBytes } from './column-vector.ts';
import { columnAt, type FillPlaces, type FillStep, misfit } from './fill-step.ts';
import { fingerprint, fingerprintModulo } from './fingerprint.ts';
import { type FittedTransform, isMasked, lengthName, maskName } from './fitted.ts';
import { gatherNumbers, gatherOnce } from './gather.ts';
import { hashedBytes } from './hashed-bytes.ts';
import { asText } from './split-rows.ts';
import { vocabularyIndex } from './vocabulary-index.ts';

type Of<K extends FittedTransform['kind']> = Extract<FittedTransform, { kind: K }>;
type Category = Of<'bucket'> | Of<'vocabulary'> | Of<'hash'>;

/** Between the two texts of a cross. */
const CROSS = Buffer.from([0x1f]);

/** Writes the ids of a block's rows; -1 for NULL (and for NaN). */
type WriteIds = (block: ColumnBlock, vector: ColumnVector, rows: Int32Array, into: Int32Array) => void;

/** Fills ids, or their one-hot: of buckets, of a vocabulary, of hashes. */
export function categoryStep(transform: Category, places: FillPlaces): FillStep {
  const column = places.column(transform.column);
  const tensor = places.tensor(transform.tensor);
  const masked = isMasked(transform) ? places.tensor(maskName(transform.tensor)) : -1;
  const { count, write, idOfText } = idsOf(transform, places);
  const fillId = fillIdOf(transform, idOfText);
  const width = transform.oneHot === true ? count : 0;
  let ids = new Int32Array(0);
  return (block, rows, all) => {
    const items = all[tensor];
    const mask = all[masked];
    if (items === undefined) throw new RangeError(`Tensor ${transform.tensor} has no place`);
    if (ids.length < rows.length) ids = new Int32Array(rows.length);
    write(block, columnAt(block, column), rows, ids);
    for (let at = 0; at < rows.length; at += 1) {
      const found = ids[at] ?? -1;
      if (found < 0 && fillId < 0) throw misfit(transform, null, 'has no id', rows[at]);
      const id = found < 0 ? fillId : found;
      if (width > 0) items[at * width + id] = 1;
      else items[at] = id;
      if (mask && found >= 0) mask[at] = 1;
    }
  };
}

/** Fills strings and bytes, padded with zeros. */
export function textStep(transform: Of<'text'>, places: FillPlaces): FillStep {
  const column = places.column(transform.column);
  const tensor = places.tensor(transform.tensor);
  const masked = places.tensor(maskName(transform.tensor));
  const lengths = places.tensor(lengthName(transform.tensor));
  const { length, truncate, fillNull, type } = transform;
  const filler = fillNull === null ? undefined : Buffer.from(fillNull);
  return (block, rows, all) => {
    const vector = columnAt(block, column);
    const bytesOf = hashedBytes(type, vector);
    const items = all[tensor];
    const mask = all[masked];
    const counts = all[lengths];
    if (!(items instanceof Uint8Array) || counts === undefined)
      throw new RangeError(`${transform.tensor} has no place`);
    for (let at = 0; at < rows.length; at += 1) {
      const row = rows[at] ?? 0;
      const isNull = vector.nulls[row] === 1;
      const bytes = isNull ? filler : bytesOf(row);
      if (bytes === undefined) throw misfit(transform, null, 'cannot be encoded', row);
      if (bytes.length > length && !truncate) {
        throw misfit(transform, `A value of ${bytes.length} bytes`, `is longer than ${length}`, row);
      }
      const count = bytes.length <= length ? bytes.length : cutAt(bytes, length, type);
      items.set(bytes.subarray(0, count), at * length);
      counts[at] = count;
      if (mask && !isNull) mask[at] = 1;
    }
  };
}

/** Never inside a character: its further bytes begin with the bits 10. */
function cutAt(bytes: Uint8Array, length: number, type: Of<'text'>['type']): number {
  if (type === 'BYTES') return length;
  let to = length;
  while (to > 0 && ((bytes[to] ?? 0) & 0xc0) === 0x80) to -= 1;
  return to;
}

interface Ids {
  readonly count: number;
  readonly write: WriteIds;
  /** Of the text that NULL is taken for. */
  readonly idOfText: (text: string) => number;
}

function idsOf(transform: Category, places: FillPlaces): Ids {
  switch (transform.kind) {
    case 'bucket':
      return bucketIds(transform);
    case 'vocabulary':
      return vocabularyIds(transform);
    case 'hash':
      return hashIds(transform, places);
  }
}

function fillIdOf(transform: Category, idOfText: (text: string) => number): number {
  const { fillNull } = transform;
  if (transform.kind === 'vocabulary' && (fillNull ?? null) === null) return 0;
  if (fillNull === null || fillNull === undefined) return -1;
  return idOfText(String(fillNull));
}

function bucketIds({ bounds }: Of<'bucket'>): Ids {
  const sorted = Float64Array.from(bounds);
  const gather = gatherOnce(gatherNumbers);
  const idOf = (value: number): number => {
    let from = 0;
    let to = sorted.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((sorted[middle] ?? 0) <= value) from = middle + 1;
      else to = middle;
    }
    return from;
  };
  return {
    count: bounds.length + 1,
    idOfText: (text) => idOf(Number(text)),
    write(_, vector, rows, into) {
      const numbers = gather(vector, rows);
      for (let at = 0; at < rows.length; at += 1) {
        const value = numbers[at] ?? 0;
        into[at] = vector.nulls[rows[at] ?? 0] === 1 || Number.isNaN(value) ? -1 : idOf(value);
      }
    },
  };
}

function vocabularyIds({ unknown, values }: Of<'vocabulary'>): Ids {
  const find = vocabularyIndex(values);
  const idOf = (place: number, bytes: () => Uint8Array): number => {
    if (place >= 0) return unknown + place;
    return unknown > 1 ? fingerprintModulo(fingerprint(bytes()), unknown) : 0;
  };
  return {
    count: unknown + values.length,
    idOfText: (text) => idOf(values.indexOf(text), () => Buffer.from(text)),
    write(_, vector, rows, into) {
      const texts = asText(vector);
      find(texts, rows, into);
      for (let at = 0; at < rows.length; at += 1) {
        const row = rows[at] ?? 0;
        into[at] = vector.nulls[row] === 1 ? -1 : idOf(into[at] ?? -1, () => textBytes(texts, row));
      }
    },
  };
}

function hashIds({ type, cross, buckets }: Of<'hash'>, places: FillPlaces): Ids {
  const idOf = (bytes: Uint8Array): number => fingerprintModulo(fingerprint(bytes), buckets);
  const second = cross === null ? -1 : places.column(cross.column);
  return {
    count: buckets,
    // Of a cross, the text stands for both.
    idOfText: (text) => idOf(Buffer.from(text)),
    write(block, vector, rows, into) {
      const first = hashedBytes(type, vector);
      const other = cross === null ? undefined : columnAt(block, second);
      const readOther = other && cross ? hashedBytes(cross.type, other) : undefined;
      for (let at = 0; at < rows.length; at += 1) {
        const row = rows[at] ?? 0;
        if (vector.nulls[row] === 1 || other?.nulls[row] === 1) into[at] = -1;
        else into[at] = idOf(readOther ? Buffer.concat([first(row), CROSS, readOther(row)]) : first(row));
      }
    },
  };
}
