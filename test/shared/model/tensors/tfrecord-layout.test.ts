import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { TensorSpec } from '../../../../shared/model/tensors/fitted.ts';
import { tfrecordLayout } from '../../../../shared/model/tensors/tfrecord-layout.ts';
import { readTfrecord } from './read-tfrecord.ts';

const shape = fc.oneof(fc.constant<[]>([]), fc.tuple(fc.integer({ min: 1, max: 5 })));
const name = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' });
const number = fc.record({ dtype: fc.constantFrom('F64', 'F32', 'I64', 'I32', 'U8', 'BOOL'), shape });
const specs = fc
  .uniqueArray(fc.tuple(name, number), { minLength: 1, maxLength: 6, selector: ([text]) => text })
  .map((list) => list.map(([text, spec]): TensorSpec => ({ name: text, role: 'feature', ...spec })));

const edges = [0, 1, 127, 128, 2 ** 31 - 1];

test('tfrecordLayout() writes an Example for each row, with every value of every tensor, as another reader finds them', () => {
  fc.assert(
    fc.property(specs, fc.integer({ min: 1, max: 20 }), fc.infiniteStream(fc.integer()), (list, rowCount, values) => {
      const body = tfrecordLayout(list).layOut(rowCount, {});
      for (const items of body.items) {
        for (let at = 0; at < items.length; at += 1) {
          const value = at < edges.length ? (edges[at] ?? 0) : (values.next().value ?? 0);
          if (items instanceof BigInt64Array)
            items[at] = at % 3 === 0 ? -(2n ** 63n) + BigInt(at) : BigInt(value) << 31n;
          else items[at] = value;
        }
      }
      const rows = readTfrecord(body.seal());
      assert.equal(rows.length, rowCount);
      for (const [row, features] of rows.entries()) {
        assert.deepEqual(Object.keys(features).sort(), list.map((spec) => spec.name).sort());
        for (const [place, spec] of list.entries()) {
          const width = spec.shape[0] ?? 1;
          const items = body.items[place];
          assert.ok(items);
          const own = items.slice(row * width, (row + 1) * width);
          assert.deepEqual(features[spec.name], wantedOf(spec, own), `${spec.name} of row ${row}`);
        }
      }
    }),
    { numRuns: 60 },
  );
});

type Slice = Float64Array | Float32Array | BigInt64Array | Int32Array | Uint8Array;

function wantedOf({ dtype, shape: [width] }: TensorSpec, items: Slice): object {
  const raw = Buffer.from(items.buffer, items.byteOffset, items.byteLength);
  if (dtype === 'F64' || (dtype === 'U8' && width !== undefined)) return { bytesList: { value: [raw] } };
  if (dtype === 'F32') return { floatList: { value: [...items] } };
  return { int64List: { value: [...items].map(String) } };
}

test('tfrecordLayout() gives the same bytes again, also in memory that held another batch', () => {
  const list: TensorSpec[] = [
    { name: 'a', dtype: 'F32', shape: [3], role: 'feature' },
    { name: 'b', dtype: 'I64', shape: [], role: 'feature' },
  ];
  const write = (room?: ArrayBuffer): Buffer => {
    const body = tfrecordLayout(list).layOut(50, {}, room);
    const [a, b] = body.items;
    for (let at = 0; a instanceof Float32Array && at < a.length; at += 1) a[at] = at;
    for (let at = 0; b instanceof BigInt64Array && at < b.length; at += 1) b[at] = -BigInt(at);
    return body.seal();
  };
  const room = new ArrayBuffer(100_000);
  new Uint8Array(room).fill(255);
  assert.ok(write(room).equals(write()));
});
