import type { Announcement } from '../announcement.ts';
import type { Tensor } from '../safetensors.ts';

/** How an epoch's tensors become the model's input. */
export interface Layout {
  dense: readonly { name: string; width: number }[];
  /** Sum of the dense widths. */
  denseWidth: number;
  ids: readonly { name: string; categories: number }[];
  label: string;
  /** The tensor of sample weights; undefined when all rows weigh the same. */
  weight: string | undefined;
}

/** Rows as the model takes them. */
export interface Rows {
  count: number;
  /** `[count, denseWidth]`, row by row. */
  dense: Float32Array;
  /** One list of `count` for each id tensor of the layout. */
  ids: readonly Int32Array[];
  labels: Float32Array;
  /** Undefined when all rows weigh 1. */
  weights: Float32Array | undefined;
}

export function layoutOf({ tensors }: Announcement): Layout {
  const features = tensors.filter(({ role }) => role === 'feature');
  const dense = features
    .filter(({ categories }) => categories === undefined)
    .map(({ name, width }) => ({ name, width: width ?? 1 }));
  return {
    dense,
    denseWidth: dense.reduce((sum, { width }) => sum + width, 0),
    ids: features.flatMap(({ name, categories }) => (categories === undefined ? [] : [{ name, categories }])),
    label: tensors.find(({ role }) => role === 'label')?.name ?? '',
    weight: tensors.find(({ role }) => role === 'weight')?.name,
  };
}

/** Turns a batch's tensors into rows: every number becomes a float32, except ids. */
export function decodeRows(tensors: ReadonlyMap<string, Tensor>, layout: Layout, count: number): Rows {
  const dense = new Float32Array(count * layout.denseWidth);
  let column = 0;
  for (const { name, width } of layout.dense) {
    const values = decodeItems(tensors, name);
    for (let row = 0; row < count; row += 1) {
      dense.set(values.subarray(row * width, (row + 1) * width), row * layout.denseWidth + column);
    }
    column += width;
  }
  const ids = layout.ids.map(({ name }) => Int32Array.from(decodeItems(tensors, name)));
  const weights = layout.weight === undefined ? undefined : decodeItems(tensors, layout.weight);
  return { count, dense, ids, labels: decodeItems(tensors, layout.label), weights };
}

/** Picks rows by number. */
export function pickRows(rows: Rows, picked: Uint32Array): Rows {
  const width = rows.count === 0 ? 0 : rows.dense.length / rows.count;
  const dense = new Float32Array(picked.length * width);
  for (const [to, from] of picked.entries())
    dense.set(rows.dense.subarray(from * width, (from + 1) * width), to * width);
  return {
    count: picked.length,
    dense,
    ids: rows.ids.map((values) => Int32Array.from(picked, (row) => values[row] ?? 0)),
    labels: Float32Array.from(picked, (row) => rows.labels[row] ?? 0),
    weights: rows.weights && Float32Array.from(picked, (row) => rows.weights?.[row] ?? 0),
  };
}

function decodeItems(tensors: ReadonlyMap<string, Tensor>, name: string): Float32Array {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`Tensor ${name} is missing in a batch that was checked`);
  // A typed array must start at a multiple of its item size, and a view into a body starts anywhere: hence the copy.
  const { buffer } = Uint8Array.from(tensor.bytes);
  switch (tensor.dtype) {
    case 'F32':
      return new Float32Array(buffer);
    case 'F64':
      return Float32Array.from(new Float64Array(buffer));
    case 'I32':
      return Float32Array.from(new Int32Array(buffer));
    case 'I64':
      return Float32Array.from(new BigInt64Array(buffer), Number);
    case 'U8':
    case 'BOOL':
      return Float32Array.from(new Uint8Array(buffer));
  }
}
