import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readSafetensors, type Tensor } from '../deploy/local/trainer/safetensors.ts';
import { readDeclaration } from '../shared/model/config/read-declaration.ts';
import { batchEncoder } from '../shared/model/tensors/encode-batch.ts';
import { fitTransforms } from '../shared/model/tensors/fit-transforms.ts';
import { columnOf, type Plain } from './shared/model/tensors/plain-columns.ts';

/** What each block of `docs/transforms.md` holds: settings, the columns' types and rows, and what comes of them. */
interface Example {
  readonly feed: Readonly<Record<string, unknown>>;
  readonly columns: Readonly<Record<string, string>>;
  readonly rows: readonly (readonly unknown[])[];
  readonly fitted: unknown;
  readonly tensors: Readonly<Record<string, unknown>>;
}

const page = readFileSync(new URL('../docs/transforms.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/^## ([^\n]+)\n(?:(?!^## )[\s\S])*?```json\n([\s\S]*?)```/gm)];

for (const [, title = '', text = ''] of examples) {
  test(`the example of “${title}” in docs/transforms.md gives what it says`, () => {
    const example: Example = JSON.parse(text);
    const made = run(example);
    assert.deepEqual(made.fitted, example.fitted);
    assert.deepEqual(made.tensors, example.tensors);
  });
}

test('docs/transforms.md has an example of every kind of transform', () => {
  const kinds = examples.flatMap(([, , text = '']) => [...text.matchAll(/"kind": ?"(\w+)"/g)].map(([, kind]) => kind));
  const wanted = [
    'bucket',
    'cast',
    'days',
    'hash',
    'instant',
    'label',
    'list',
    'normalise',
    'part',
    'scaled',
    'text',
    'vocabulary',
    'weight',
  ];
  assert.deepEqual([...new Set(kinds)].toSorted(), wanted);
});

function run({ feed, columns, rows }: Example): { fitted: unknown; tensors: Record<string, unknown> } {
  const declared = {
    spanner: { database: 'projects/p/instances/i/databases/d' },
    feeds: { f: { table: 'T', ...feed } },
  };
  const { declaration } = readDeclaration({
    file: 'f',
    text: JSON.stringify(declared),
    env: {},
    sections: ['spanner', 'feeds'],
  });
  const names = Object.keys(columns);
  const vectors = names.map((name, at) =>
    columnOf(
      columns[name] ?? '',
      rows.map((row) => plain(columns[name] ?? '', row[at])),
    ),
  );
  const block = { rowCount: rows.length, columns: vectors };
  const types = new Map(Object.entries(columns).map(([name, type]) => [name.toLowerCase(), type]));
  const compiled = declaration.feeds.f;
  assert.ok(compiled);
  const fit = fitTransforms(compiled, names, types);
  fit.add(block);
  const fitted = fit.finish();
  const { tensors } = readSafetensors(batchEncoder(fitted, names).encode(block, Int32Array.from(rows.keys()), {}));
  const shown = [...tensors]
    .map(([name, tensor]) => [name, rowsOf(tensor)] as const)
    .toSorted(([left], [right]) => (left < right ? -1 : 1));
  return { fitted: JSON.parse(JSON.stringify(fitted)), tensors: Object.fromEntries(shown) };
}

/** JSON has no instants, bytes and 64-bit numbers: they are written as texts. */
function plain(type: string, value: unknown): Plain {
  if (value === null) return null;
  if (Array.isArray(value)) return value.map((item) => plain(type.slice(6, -1), item) as number);
  if (type === 'INT64') return BigInt(String(value));
  if (type === 'BYTES') return Buffer.from(String(value), 'hex');
  if (type === 'TIMESTAMP') {
    const [, second = '', fraction = ''] = /^([^.]+?)(?:\.(\d+))?Z$/.exec(String(value)) ?? [];
    return BigInt(Date.parse(`${second}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
  }
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  return type.startsWith('FLOAT') ? Number(value) : String(value);
}

/** Integers past 2^53 as texts; a row of more than one value as a list. */
function rowsOf({ dtype, bytes, shape }: Tensor): unknown[] {
  const { buffer } = Uint8Array.from(bytes);
  const big = (value: bigint): unknown => (Number.isSafeInteger(Number(value)) ? Number(value) : String(value));
  const arrays = {
    F64: () => [...new Float64Array(buffer)],
    F32: () => [...new Float32Array(buffer)],
    I64: () => Array.from(new BigInt64Array(buffer), big),
    I32: () => [...new Int32Array(buffer)],
    U8: () => [...new Uint8Array(buffer)],
    BOOL: () => [...new Uint8Array(buffer)],
  };
  const values: unknown[] = arrays[dtype]();
  const [count = 0, width] = shape;
  return width === undefined
    ? values
    : Array.from({ length: count }, (_, row) => values.slice(row * width, (row + 1) * width));
}
