import type { ColumnBlock, ColumnVector } from './column-vector.ts';

type Of<K extends ColumnVector['kind']> = Extract<ColumnVector, { kind: K }>;

/** Puts blocks of the same columns one behind the other. At least one is given. */
export function concatBlocks(blocks: readonly ColumnBlock[]): ColumnBlock {
  const [first] = blocks;
  if (first === undefined) throw new RangeError('No block tells which columns there are');
  if (blocks.length === 1) return first;
  const rowCount = blocks.reduce((sum, block) => sum + block.rowCount, 0);
  const columns = first.columns.map((vector, at) =>
    concat(
      vector,
      blocks.map((block) => block.columns[at]),
    ),
  );
  return { rowCount, columns };
}

/** @param all of the kind of `first`, which is among them */
function concat(first: ColumnVector, all: readonly (ColumnVector | undefined)[]): ColumnVector {
  switch (first.kind) {
    case 'int64': {
      const parts = ofKind(all, 'int64');
      const values = join(parts, ({ values }) => values, new BigInt64Array(lengthOf(parts)));
      return { kind: 'int64', nulls: joinNulls(parts), values };
    }
    case 'float64': {
      const parts = ofKind(all, 'float64');
      const values = join(parts, ({ values }) => values, new Float64Array(lengthOf(parts)));
      return { kind: 'float64', nulls: joinNulls(parts), values };
    }
    case 'bool': {
      const parts = ofKind(all, 'bool');
      const values = join(parts, ({ values }) => values, new Uint8Array(lengthOf(parts)));
      return { kind: 'bool', nulls: joinNulls(parts), values };
    }
    case 'timestamp': {
      const parts = ofKind(all, 'timestamp');
      const seconds = join(parts, (part) => part.seconds, new Float64Array(lengthOf(parts)));
      const nanos = join(parts, (part) => part.nanos, new Int32Array(lengthOf(parts)));
      return { kind: 'timestamp', nulls: joinNulls(parts), seconds, nanos };
    }
    case 'text': {
      const parts = ofKind(all, 'text');
      const length = parts.reduce((sum, { offsets }) => sum + (offsets.at(-1) ?? 0), 0);
      const bytes = join(parts, (part) => part.bytes, new Uint8Array(length));
      return { kind: 'text', nulls: joinNulls(parts), offsets: joinOffsets(parts), bytes };
    }
    case 'list': {
      const parts = ofKind(all, 'list');
      const items = parts.map((part) => part.items);
      return {
        kind: 'list',
        nulls: joinNulls(parts),
        offsets: joinOffsets(parts),
        items: concat(parts[0]?.items ?? first.items, items),
      };
    }
  }
}

function ofKind<K extends ColumnVector['kind']>(vectors: readonly (ColumnVector | undefined)[], kind: K): Of<K>[] {
  return vectors.map((vector) => {
    if (vector?.kind !== kind) throw new TypeError(`A column is of kind ${kind} and of ${vector?.kind}`);
    return vector as Of<K>;
  });
}

function lengthOf(parts: readonly ColumnVector[]): number {
  return parts.reduce((sum, { nulls }) => sum + nulls.length, 0);
}

function joinNulls(parts: readonly ColumnVector[]): Uint8Array {
  return join(parts, ({ nulls }) => nulls, new Uint8Array(lengthOf(parts)));
}

function joinOffsets(parts: readonly { readonly offsets: Int32Array; readonly nulls: Uint8Array }[]): Int32Array {
  const offsets = new Int32Array(parts.reduce((sum, { nulls }) => sum + nulls.length, 1));
  let at = 0;
  for (const part of parts) {
    const base = offsets[at] ?? 0;
    for (let row = 1; row < part.offsets.length; row += 1) offsets[at + row] = base + (part.offsets[row] ?? 0);
    at += part.offsets.length - 1;
  }
  return offsets;
}

interface Settable<A> {
  readonly length: number;
  set(values: A, offset: number): void;
}

function join<P, A extends Settable<A>>(parts: readonly P[], arrayOf: (part: P) => A, into: A): A {
  let at = 0;
  for (const part of parts) {
    into.set(arrayOf(part), at);
    at += arrayOf(part).length;
  }
  return into;
}
