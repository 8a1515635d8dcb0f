import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readSafetensors, SafetensorsError, type Tensor } from '../../../../deploy/local/trainer/safetensors.ts';
import { writeSafetensors } from '../../../../deploy/local/trainer/write-safetensors.ts';
import { batchBody, float32, int64, rawBody, uint8 } from './batch-body.ts';

const refuses = (body: Uint8Array, why: RegExp) =>
  assert.throws(
    () => readSafetensors(body),
    (cause) => cause instanceof SafetensorsError && why.test(cause.message),
  );

const one = (entry: object) => rawBody(JSON.stringify({ x: entry }), Buffer.alloc(8));

test('readSafetensors() reads metadata and tensors as views of the body', () => {
  const body = batchBody({ epoch: 'e1' }, { a: float32([1.5, -2]), b: int64([-1]), c: uint8([1, 0], 'BOOL') });
  const { metadata, tensors } = readSafetensors(body);
  assert.deepEqual([...metadata], [['epoch', 'e1']]);
  assert.deepEqual([...tensors.keys()], ['a', 'b', 'c']);
  const a = tensors.get('a');
  assert.deepEqual([a?.dtype, a?.shape], ['F32', [2]]);
  assert.equal(a?.bytes.buffer, body.buffer);
  assert.deepEqual(new Float32Array(Uint8Array.from(a?.bytes ?? []).buffer), Float32Array.of(1.5, -2));
  assert.deepEqual(new BigInt64Array(Uint8Array.from(tensors.get('b')?.bytes ?? []).buffer), BigInt64Array.of(-1n));
});

test('readSafetensors() takes padding of zeros between tensors, and a body from any offset in memory', () => {
  const header = JSON.stringify({
    b: { dtype: 'U8', shape: [1], data_offsets: [64, 65] },
    a: { dtype: 'U8', shape: [3], data_offsets: [0, 3] },
    empty: { dtype: 'F64', shape: [0, 5], data_offsets: [3, 3] },
  });
  const body = rawBody(header, Buffer.alloc(65, 0));
  const shifted = Buffer.concat([Buffer.alloc(3), body]).subarray(3);
  assert.equal(readSafetensors(shifted).tensors.size, 3);
});

for (const [what, body, why] of [
  ['nothing', Buffer.alloc(0), /starts with 8 bytes/],
  ['a header longer than the body', Buffer.from([255, 0, 0, 0, 0, 0, 0, 0, 1]), /claims 255 bytes/],
  ['a header of 2^64-1 bytes', Buffer.alloc(72, 255), /claims 18446744073709551615 bytes/],
  ['a header over 1 MiB', rawBody(`{"x":"${'a'.repeat(1 << 20)}"}`, Buffer.alloc(0)), /a header at most 1048576/],
  ['data that is not aligned', Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d]), /starts at byte 10/],
  ['a header that is no JSON', rawBody('{', Buffer.alloc(0)), /not JSON in UTF-8/],
  [
    'a header that is no UTF-8',
    Buffer.concat([Buffer.from([56, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(56, 0xff)]),
    /not JSON in UTF-8/,
  ],
  ['a header that is a list', rawBody('[]', Buffer.alloc(0)), /not a JSON object/],
  ['metadata that is a list', rawBody('{"__metadata__":[]}', Buffer.alloc(0)), /__metadata__ is not/],
  ['metadata that is a number', rawBody('{"__metadata__":{"shard":1}}', Buffer.alloc(0)), /shard is not a string/],
  ['a tensor that is null', rawBody('{"x":null}', Buffer.alloc(0)), /not described by/],
  ['another dtype', one({ dtype: 'F16', shape: [4], data_offsets: [0, 8] }), /dtype "F16"/],
  ['a dtype of the prototype', one({ dtype: 'toString', shape: [4], data_offsets: [0, 8] }), /dtype "toString"/],
  ['a shape below 0', one({ dtype: 'U8', shape: [-8], data_offsets: [0, 8] }), /shape \[-8\]/],
  ['a shape with a fraction', one({ dtype: 'U8', shape: [0.5], data_offsets: [0, 8] }), /shape/],
  ['a shape whose product overflows', one({ dtype: 'F64', shape: [2 ** 52, 2 ** 52], data_offsets: [0, 8] }), /needs/],
  ['nine dimensions', one({ dtype: 'U8', shape: [8, 1, 1, 1, 1, 1, 1, 1, 1], data_offsets: [0, 8] }), /at most 8/],
  ['offsets beyond the data', one({ dtype: 'U8', shape: [9], data_offsets: [0, 9] }), /in 8 bytes of data/],
  ['offsets the wrong way round', one({ dtype: 'U8', shape: [8], data_offsets: [8, 0] }), /data_offsets \[8,0\]/],
  ['three offsets', one({ dtype: 'U8', shape: [8], data_offsets: [0, 8, 8] }), /data_offsets/],
  [
    'fewer bytes than the shape needs',
    one({ dtype: 'F32', shape: [3], data_offsets: [0, 8] }),
    /needs 12 bytes and has 8/,
  ],
  ['bytes after the last tensor', rawBody('{}', Buffer.alloc(3, 1)), /belong to no tensor/],
  ['64 zeros after the last tensor', rawBody('{}', Buffer.alloc(64)), /belong to no tensor/],
  [
    'tensors that overlap',
    rawBody(
      '{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"b":{"dtype":"U8","shape":[5],"data_offsets":[3,8]}}',
      Buffer.alloc(8),
    ),
    /"b" overlaps/,
  ],
] as const) {
  test(`readSafetensors() refuses ${what}`, () => refuses(body, why));
}

test('readSafetensors() refuses more tensors than it counts', () => {
  const entries = Array.from({ length: 1025 }, (_, n) => [`t${n}`, { dtype: 'U8', shape: [0], data_offsets: [0, 0] }]);
  refuses(rawBody(JSON.stringify(Object.fromEntries(entries)), Buffer.alloc(0)), /more than 1024/);
});

test('readSafetensors() either reads hostile bytes or refuses them with its own error, whatever is changed', () => {
  const good = batchBody({ epoch: 'e1', rows: '4' }, { a: float32([1, 2, 3, 4]), b: int64([5, 6]), c: uint8([7]) });
  const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(changes, fc.nat(good.length), (edits, kept) => {
      const body = Buffer.from(good.subarray(0, kept % 3 === 0 ? kept : good.length));
      for (const [at, byte] of edits) if (at < body.length) body[at] = byte;
      try {
        for (const { bytes } of readSafetensors(body).tensors.values()) assert.ok(bytes.length <= body.length);
      } catch (cause) {
        assert.ok(cause instanceof SafetensorsError, String(cause));
      }
    }),
    { numRuns: 2_000 },
  );
});

test('readSafetensors() survives any JSON as a header', () => {
  const key = fc.oneof(fc.constantFrom('dtype', 'shape', 'data_offsets', '__metadata__', '__proto__'), fc.string());
  const entry = fc.dictionary(key, fc.oneof(fc.jsonValue(), fc.constantFrom('F32', [2], [0, 8])));
  fc.assert(
    fc.property(
      fc.dictionary(key, fc.oneof(entry, fc.jsonValue())),
      fc.uint8Array({ maxLength: 70 }),
      (header, data) => {
        try {
          readSafetensors(rawBody(JSON.stringify(header), data));
        } catch (cause) {
          assert.ok(cause instanceof SafetensorsError, String(cause));
        }
      },
    ),
    { numRuns: 1_000 },
  );
});

test('writeSafetensors() is read back as it was', () => {
  const shape = fc.array(fc.nat(4), { maxLength: 3 });
  const tensor = shape.map((sizes): Tensor => {
    const count = sizes.reduce((product, size) => product * size, 1);
    return { dtype: 'I32', shape: sizes, bytes: Uint8Array.from({ length: count * 4 }, (_, n) => n * 7) };
  });
  const names = fc.string().filter((name) => name !== '__metadata__' && name !== '__proto__');
  fc.assert(
    fc.property(fc.dictionary(names, tensor), fc.string(), (given, text) => {
      const { metadata, tensors } = readSafetensors(writeSafetensors({ text }, new Map(Object.entries(given))));
      assert.equal(metadata.get('text'), text);
      const read = [...tensors].map(([name, { dtype, shape: sizes, bytes }]) => [
        name,
        { dtype, shape: sizes, bytes: Uint8Array.from(bytes) },
      ]);
      assert.deepEqual(Object.fromEntries(read), { ...given });
    }),
  );
});
