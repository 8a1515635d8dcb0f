import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tableFromIPC } from 'apache-arrow';
import fc from 'fast-check';
import { readArrow } from '../../../../deploy/local/trainer/read-arrow.ts';
import { readSafetensors } from '../../../../deploy/local/trainer/safetensors.ts';
import { layoutOfFormat } from '../../../../shared/model/tensors/batch-format.ts';
import type { TensorSpec } from '../../../../shared/model/tensors/fitted.ts';
import { type BatchLayout, batchLayout } from '../../../../shared/model/tensors/safetensors.ts';

const arrowLayout = await layoutOfFormat('arrow');

const specs = fc
  .array(
    fc.record({
      dtype: fc.constantFrom('F64', 'F32', 'I64', 'I32', 'U8', 'BOOL'),
      shape: fc.oneof(fc.constant<[]>([]), fc.tuple(fc.integer({ min: 1, max: 5 }))),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((list) => list.map((spec, at): TensorSpec => ({ name: `t${at}`, role: 'feature', ...spec })));

/** Fills a body with numbers that follow from their place, so that two layouts get the same. */
function fill(layout: BatchLayout, list: readonly TensorSpec[], rowCount: number, room?: ArrayBuffer): Buffer {
  const body = layout.layOut(rowCount, { epoch: 'e1', rows: String(rowCount) }, room);
  for (const [at, items] of body.items.entries()) {
    const isBit = list[at]?.dtype === 'BOOL';
    for (let item = 0; item < items.length; item += 1) {
      const value = (item * 7 + at) % (isBit ? 2 : 251);
      if (items instanceof BigInt64Array) items[item] = BigInt(value) - 100n;
      else items[item] = value;
    }
  }
  return body.seal();
}

test('arrowLayout() writes the tensors that batchLayout() writes, as the trainer reads both', () => {
  fc.assert(
    fc.property(specs, fc.integer({ min: 1, max: 40 }), (list, rowCount) => {
      const arrow = readArrow(fill(arrowLayout(list), list, rowCount));
      const plain = readSafetensors(fill(batchLayout(list), list, rowCount));
      assert.deepEqual(
        [...arrow.metadata],
        [...plain.metadata].filter(([key]) => key !== 'crc32'),
      );
      assert.deepEqual(
        [...arrow.tensors.keys()],
        list.map(({ name }) => name),
      );
      for (const [name, { dtype, shape, bytes }] of arrow.tensors) {
        const wanted = plain.tensors.get(name);
        assert.deepEqual([dtype, shape, [...bytes]], [wanted?.dtype, wanted?.shape, [...(wanted?.bytes ?? [])]]);
      }
    }),
  );
});

test('arrowLayout() gives apache-arrow’s reader one table with a column for each tensor, the metadata in its schema', () => {
  const list: TensorSpec[] = [
    { name: 'hour', dtype: 'F32', shape: [3], role: 'feature' },
    { name: 'there', dtype: 'BOOL', shape: [], role: 'feature' },
    { name: 'id', dtype: 'I64', shape: [], role: 'feature' },
  ];
  const table = tableFromIPC(fill(arrowLayout(list), list, 10));
  assert.equal(table.schema.fields.map(String).join(), 'hour: FixedSizeList[3]<Float32>,there: Bool,id: Int64');
  assert.deepEqual(
    [...table.schema.metadata],
    [
      ['epoch', 'e1'],
      ['rows', '10'],
    ],
  );
  assert.deepEqual(
    [...(table.getChild('there') ?? [])],
    Array.from({ length: 10 }, (_, at) => (at * 7 + 1) % 2 === 1),
  );
  assert.deepEqual(
    [...(table.getChild('id') ?? [])],
    Array.from({ length: 10 }, (_, at) => BigInt((at * 7 + 2) % 251) - 100n),
  );
  assert.deepEqual([...(table.getChild('hour')?.get(1) ?? [])], [21, 28, 35]);
});

test('arrowLayout() gives the same bytes again, also in memory that held another batch', () => {
  const list: TensorSpec[] = [
    { name: 'a', dtype: 'F64', shape: [], role: 'feature' },
    { name: 'b', dtype: 'BOOL', shape: [], role: 'feature' },
  ];
  const layout = arrowLayout(list);
  const first = fill(layout, list, 100);
  const room = new ArrayBuffer(100_000);
  new Uint8Array(room).fill(255);
  assert.ok(fill(layout, list, 100, room).equals(first));
  assert.ok(fill(arrowLayout(list), list, 100).equals(first));
  const empty = layout.layOut(100, { epoch: 'e1', rows: '100' }, room);
  assert.ok(empty.items.every((items) => items.every((item) => Number(item) === 0)));
});
