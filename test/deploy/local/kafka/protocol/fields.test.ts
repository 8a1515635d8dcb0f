import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { ByteReader, MalformedError } from '../../../../../deploy/local/kafka/protocol/byte-reader.ts';
import { ByteWriter } from '../../../../../deploy/local/kafka/protocol/byte-writer.ts';
import {
  array,
  between,
  bool,
  bytes,
  type Codec,
  int16,
  int64,
  nullableArray,
  nullableString,
  since,
  string,
  struct,
  tagged,
  uuid,
} from '../../../../../deploy/local/kafka/protocol/fields.ts';

const message = struct({
  name: string,
  note: nullableString,
  payload: bytes,
  id: uuid,
  items: array(struct({ number: int64, flag: bool })),
  maybe: nullableArray(int16),
  late: since(2, int16, -7),
  early: between(0, 1, string, 'gone'),
  extra: tagged(3, 2, string, 'none'),
});

function roundTrip<Out, In>(codec: Codec<Out, In>, value: In, version: number): Out {
  const wire = { version, flexible: version >= 2 };
  const writer = new ByteWriter();
  codec.write(writer, value, wire);
  const reader = new ByteReader(Buffer.concat(writer.chunks()));
  const out = codec.read(reader, wire);
  assert.equal(reader.remaining, 0);
  return out;
}

suite('struct()', () => {
  const value = fc.record(
    {
      name: fc.string(),
      note: fc.option(fc.string()),
      payload: fc.uint8Array({ maxLength: 9000 }).map((array) => Buffer.from(array)),
      id: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((array) => Buffer.from(array).toString('base64url')),
      items: fc.array(
        fc.record(
          { number: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), flag: fc.boolean() },
          { noNullPrototype: true },
        ),
      ),
      maybe: fc.option(fc.array(fc.integer({ min: -32768, max: 32767 }))),
      late: fc.integer({ min: -32768, max: 32767 }),
      early: fc.string(),
      extra: fc.string(),
    },
    { noNullPrototype: true },
  );

  test('reads what it wrote, in every version, with fallbacks for what a version does not carry', () => {
    fc.assert(
      fc.property(value, fc.integer({ min: 0, max: 3 }), (written, version) => {
        const read = roundTrip(message, written, version);
        const carried = version >= 2 ? { early: 'gone' } : { late: -7, extra: 'none' };
        assert.deepEqual(read, { ...written, ...carried });
      }),
    );
  });

  test('skips tagged fields that it does not know', () => {
    const wire = { version: 2, flexible: true };
    const known = struct({ name: string });
    const writer = new ByteWriter();
    struct({ name: string, unknown: tagged(9, 0, string, '') }).write(writer, { name: 'n', unknown: 'later' }, wire);
    assert.deepEqual(known.read(new ByteReader(Buffer.concat(writer.chunks())), wire), { name: 'n' });
  });

  test('throws a MalformedError on any bytes that end too early or promise too much', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 0, max: 3 }), (garbage, version) => {
        try {
          message.read(new ByteReader(Buffer.from(garbage)), { version, flexible: version >= 2 });
        } catch (error) {
          assert.ok(error instanceof MalformedError);
        }
      }),
    );
  });
});
