import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { PoisonError } from '../../../../../shared/model/events/records/poison.ts';
import { Bytes, Double, ExactNumber, Unfit } from '../../../../../shared/model/events/values/document-leaf.ts';
import type { JsonValue } from '../../../../../shared/model/events/values/exact-json.ts';
import { parseProto } from '../../../../../shared/model/formats/protobuf/parse-proto.ts';
import { readProtobuf } from '../../../../../shared/model/formats/protobuf/read-protobuf.ts';
import { withinCpuSeconds } from '../../../within-cpu-seconds.ts';

const file = `syntax = "proto3";
package shop.v1;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/any.proto";
import "google/protobuf/empty.proto";
import "google/type/date.proto";
import "google/type/decimal.proto";
import "confluent/type/decimal.proto";
import "confluent/meta.proto";
import "somewhere/else.proto";

enum Color { COLOR_UNKNOWN = 0; COLOR_RED = 1; COLOR_BLUE = -2; }
message All {
  double d = 1; float f = 2;
  int32 i32 = 3; uint32 u32 = 4; sint32 s32 = 5; fixed32 f32 = 6; sfixed32 sf32 = 7;
  int64 i64 = 8; uint64 u64 = 9; sint64 s64 = 10; fixed64 f64 = 11; sfixed64 sf64 = 12;
  bool b = 13; string s = 14; bytes by = 15; Color color = 16;
  repeated int64 longs = 17; repeated string texts = 18; repeated Color colors = 19;
  map<string, int64> by_name = 20; map<int64, All> by_number = 21;
  optional int32 maybe = 22;
  All next = 23;
  oneof choice { string left = 24; int32 right = 25; All both = 26; }
  repeated sint32 loose = 27 [packed = false];
}
message Known {
  google.protobuf.Timestamp at = 1; google.protobuf.Duration took = 2;
  google.protobuf.Int64Value big = 3; google.protobuf.StringValue text = 4; google.protobuf.BoolValue flag = 5;
  google.protobuf.Struct struct = 6; google.protobuf.Value value = 7; google.protobuf.ListValue list = 8;
  google.protobuf.FieldMask mask = 9; google.protobuf.Any any = 10; google.protobuf.Empty empty = 11;
  google.type.Date day = 12; google.type.Decimal price = 13; confluent.type.Decimal cost = 14;
}`;

/** The other library's view of the same file. */
function encoder(text: string, name: string): (value: object) => Buffer {
  const root = new protobuf.Root();
  protobuf.parse(text.replaceAll(/import "(?!google\/protobuf).*";/g, ''), root, { keepCase: true });
  for (const known of ['timestamp', 'duration', 'wrappers', 'struct', 'field_mask', 'any', 'empty']) {
    root.addJSON(protobuf.common.get(`google/protobuf/${known}.proto`)?.nested ?? {});
  }
  protobuf.parse(
    'syntax="proto3"; package google.type; message Date {int32 year=1;int32 month=2;int32 day=3;} message Decimal {string value=1;}',
    root,
  );
  protobuf.parse(
    'syntax="proto3"; package confluent.type; message Decimal {bytes value=1;uint32 precision=2;int32 scale=3;}',
    root,
  );
  const type = root.lookupType(name);
  return (value) => Buffer.from(type.encode(type.fromObject(value)).finish());
}

function planOf(name: string, text = file) {
  const plan = parseProto(text, []).byName(name);
  assert.ok(plan);
  return plan;
}

const all = planOf('shop.v1.All');
const known = planOf('shop.v1.Known');
const encodeAll = encoder(file, 'shop.v1.All');
const encodeKnown = encoder(file, 'shop.v1.Known');

function refusal(read: () => unknown): PoisonError {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof PoisonError, String(error));
    return error;
  }
  return assert.fail('it was taken');
}

const zeros = {
  d: 0,
  f: 0,
  i32: 0,
  u32: 0,
  s32: 0,
  f32: 0,
  sf32: 0,
  i64: 0,
  u64: 0,
  s64: 0,
  f64: 0,
  sf64: 0,
  b: false,
  s: '',
  by: new Bytes(Buffer.alloc(0)),
  color: 'COLOR_UNKNOWN',
  longs: [],
  texts: [],
  colors: [],
  by_name: {},
  by_number: {},
  loose: [],
} satisfies Record<string, JsonValue>;

const whole = (value: bigint): JsonValue =>
  Number.isSafeInteger(Number(value)) ? Number(value) : new ExactNumber(String(value));
const real = (value: number): JsonValue => (Math.fround(value) === value ? value : new Double(value));
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const uint32 = fc.nat({ max: 2 ** 32 - 1 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const long = (values: fc.Arbitrary<bigint>) =>
  values.map((value) => ({ given: String(value), document: whole(value) }));
const same = <T extends JsonValue>(values: fc.Arbitrary<T>) =>
  values.map((value) => ({ given: value, document: value }));
const field = fc.record(
  {
    d: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => ({ given: value, document: real(value) })),
    f: same(fc.float({ noNaN: true, noDefaultInfinity: true })),
    i32: same(int32),
    u32: same(uint32),
    s32: same(int32),
    f32: same(uint32),
    sf32: same(int32),
    i64: long(int64),
    u64: long(uint64),
    s64: long(int64),
    f64: long(uint64),
    sf64: long(int64),
    b: same(fc.boolean()),
    s: same(fc.string({ unit: 'grapheme' })),
    by: fc.uint8Array({ maxLength: 20 }).map((value) => ({ given: value, document: new Bytes(Buffer.from(value)) })),
    color: same(fc.constantFrom('COLOR_UNKNOWN', 'COLOR_RED', 'COLOR_BLUE')),
    longs: fc.array(int64).map((values) => ({ given: values.map(String), document: values.map(whole) })),
    texts: same(fc.array(fc.string())),
    loose: same(fc.array(int32)),
    by_name: fc
      .dictionary(
        fc.string({ minLength: 1 }).map((key) => `k${key}`),
        int64,
      )
      .map((map) => ({
        given: Object.fromEntries(Object.entries(map).map(([key, value]) => [key, String(value)])),
        document: Object.fromEntries(Object.entries(map).map(([key, value]) => [key, whole(value)])),
      })),
    maybe: same(int32),
    right: same(int32),
  },
  { requiredKeys: [] },
);

test('readProtobuf() reads every value as another library wrote it, and fills in what implicit fields say', () => {
  fc.assert(
    fc.property(field, field, (outer, inner) => {
      const given = (fields: object) =>
        Object.fromEntries(Object.entries(fields).map(([name, { given }]) => [name, given]));
      const document = (fields: object) =>
        Object.fromEntries(Object.entries(fields).map(([name, { document }]) => [name, document]));
      const bytes = encodeAll({ ...given(outer), next: given(inner), by_number: { '-5': given(inner) } });
      const within = { ...zeros, ...document(inner) };
      assert.deepEqual(readProtobuf(all, bytes), {
        ...zeros,
        ...document(outer),
        next: within,
        by_number: { '-5': within },
      });
    }),
    { numRuns: 1_000 },
  );
});

test('readProtobuf() either reads or sets aside whatever bytes come, and says why', () => {
  let refused = 0;
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 });
  fc.assert(
    fc.property(field, changes, fc.nat({ max: 20 }), fc.uint8Array({ maxLength: 40 }), (fields, edits, cut, noise) => {
      const given = Object.fromEntries(Object.entries(fields).map(([name, { given }]) => [name, given]));
      const bytes = encodeAll({ ...given, next: given });
      for (const [at, byte] of edits) if (bytes.length > 0) bytes[at % bytes.length] = byte;
      for (const input of [bytes, bytes.subarray(0, Math.max(0, bytes.length - cut)), Buffer.from(noise)]) {
        for (const plan of [all, known]) {
          try {
            readProtobuf(plan, input);
          } catch (error) {
            assert.ok(error instanceof PoisonError, String(error));
            assert.ok(error.message.length > 20);
            refused++;
          }
        }
      }
    }),
    { numRuns: 2_000 },
  );
  assert.ok(refused > 2_000, `only ${refused} were refused`);
});

test('readProtobuf() leaves out what has presence and was left out', () => {
  assert.deepEqual(readProtobuf(all, Buffer.alloc(0)), zeros);
  assert.deepEqual(readProtobuf(all, encodeAll({ maybe: 0 })), { ...zeros, maybe: 0 });
  assert.deepEqual(readProtobuf(known, Buffer.alloc(0)), {});
});

test('readProtobuf() keeps the last of a oneof and of a scalar, and merges messages', () => {
  const bytes = Buffer.concat([encodeAll({ left: 'x', i32: 1 }), encodeAll({ right: 7, i32: 2 })]);
  assert.deepEqual(readProtobuf(all, bytes), { ...zeros, right: 7, i32: 2 });
  const merged = Buffer.concat([
    encodeAll({ next: { i32: 1, longs: [1] } }),
    encodeAll({ next: { u32: 2, longs: [2] } }),
  ]);
  assert.deepEqual(readProtobuf(all, merged), { ...zeros, next: { ...zeros, i32: 1, u32: 2, longs: [1, 2] } });
  const chosen = Buffer.concat([
    encodeAll({ both: { i32: 1 } }),
    encodeAll({ right: 1 }),
    encodeAll({ both: { u32: 1 } }),
  ]);
  assert.deepEqual(readProtobuf(all, chosen), { ...zeros, both: { ...zeros, u32: 1 } });
});

test('readProtobuf() takes lists packed and loose, whatever the file says, and enums without a name by number', () => {
  const loose = Buffer.from([0x88, 0x01, 1, 0x88, 0x01, 2]);
  assert.deepEqual(readProtobuf(all, loose), { ...zeros, longs: [1, 2] });
  const packed = Buffer.from([0xda, 0x01, 2, 2, 4]);
  assert.deepEqual(readProtobuf(all, packed), { ...zeros, loose: [1, 2] });
  assert.deepEqual(readProtobuf(all, Buffer.from([0x80, 0x01, 9])), { ...zeros, color: 9 });
});

test('readProtobuf() passes over fields and groups that the file does not know', () => {
  const unknown = Buffer.from([0xa0, 0x06, 5, 0xa3, 0x06, 0x0b, 0x12, 1, 65, 0x0c, 0xa4, 0x06, 0xa5, 0x06, 1, 2, 3, 4]);
  assert.deepEqual(readProtobuf(all, unknown), zeros);
});

test('readProtobuf() reads well-known messages as what they stand for', () => {
  const bytes = encodeKnown({
    at: { seconds: 1_700_000_000, nanos: 123_456_789 },
    took: { seconds: -1, nanos: -500_000_000 },
    big: { value: '9007199254740993' },
    text: { value: '' },
    flag: {},
    struct: {
      fields: { a: { numberValue: 0.1 }, b: { nullValue: 0 }, c: { listValue: { values: [{ boolValue: true }] } } },
    },
    value: { structValue: { fields: {} } },
    list: { values: [{ stringValue: 'x' }, {}] },
    mask: { paths: ['a', 'b_c'] },
    any: { type_url: 't', value: Buffer.from('v') },
    empty: {},
    day: { year: 2024, month: 2, day: 29 },
    price: { value: '12.30' },
    cost: { value: Buffer.from([4, 0xd2]), precision: 9, scale: 2 },
  });
  assert.deepEqual(readProtobuf(known, bytes), {
    at: '2023-11-14T22:13:20.123456789Z',
    took: '-1.5s',
    big: new ExactNumber('9007199254740993'),
    text: '',
    flag: false,
    struct: { a: new Double(0.1), b: null, c: [true] },
    value: {},
    list: ['x', null],
    mask: 'a,b_c',
    any: { type_url: 't', value: new Bytes(Buffer.from('v')) },
    empty: {},
    day: '2024-02-29',
    price: new ExactNumber('12.30'),
    cost: new ExactNumber('12.34'),
  });
});

test('readProtobuf() marks well-known messages that no column can hold', () => {
  const bytes = encodeKnown({
    at: { seconds: '253402300800' },
    took: { seconds: 1, nanos: -1 },
    day: { month: 2, day: 30 },
    price: { value: 'much' },
    cost: {},
  });
  const document = readProtobuf(known, bytes);
  assert.ok(typeof document === 'object' && document !== null);
  for (const value of Object.values(document)) assert.ok(value instanceof Unfit);
  assert.ok(readProtobuf(known, encodeKnown({ at: { nanos: -1 } })));
});

test('readProtobuf() reads groups, required fields and presence of proto2, and editions', () => {
  const two = planOf(
    'p.Two',
    `syntax = "proto2"; package p;
    message Two { required int32 a = 1; optional int32 b = 2 [default = 5]; repeated group Part = 3 { optional string t = 1; } }`,
  );
  assert.deepEqual(readProtobuf(two, Buffer.from([8, 1, 0x1b, 10, 1, 65, 0x1c, 0x1b, 0x1c])), {
    a: 1,
    part: [{ t: 'A' }, {}],
  });
  assert.match(refusal(() => readProtobuf(two, Buffer.from([16, 1]))).message, /p\.Two lacks its field a/);
  const edition = planOf(
    'e.E',
    `edition = "2023"; package e;
    message E { int32 a = 1; int32 b = 2 [features.field_presence = IMPLICIT]; E c = 3 [features.message_encoding = DELIMITED]; }`,
  );
  assert.deepEqual(readProtobuf(edition, Buffer.from([0x1b, 8, 1, 0x1c])), { b: 0, c: { a: 1, b: 0 } });
});

for (const [what, hex] of [
  ['a varint of eleven bytes', '18ffffffffffffffffffff01'],
  ['a varint of 65 bits', '40ffffffffffffffffff02'],
  ['a number of 33 bits for an int32', '188080808010'],
  ['a number of 33 bits for a uint32', '208080808010'],
  ['a bool of 2', '6802'],
  ['field number 0', '0001'],
  ['a tag of more than 32 bits', '8080808080800101'],
  ['wire type 6', 'a606'],
  ['another wire type than the field has', '1d00000000'],
  ['an unpacked length over the end', '72056162'],
  ['a text that is not UTF-8', '7202c328'],
  ['the end of a group that never began', '0c'],
  ['a group without its end', 'a30608'],
  ['the end of another group', 'a306ac06'],
  ['a packed list that ends in a number', '8a0101ff'],
  ['a message cut short', 'ba0105'],
] as const) {
  test(`readProtobuf() refuses ${what}`, () => {
    assert.equal(refusal(() => readProtobuf(all, Buffer.from(hex, 'hex'))).poison, 'undecodable');
  });
}

test('readProtobuf() bounds nesting, and messages that stand for more than they hold', () => {
  withinCpuSeconds(30, () => {
    let deep = Buffer.alloc(0);
    for (let depth = 0; depth < 200; depth++) {
      const length = deep.length < 128 ? [deep.length] : [(deep.length & 0x7f) | 0x80, deep.length >> 7];
      deep = Buffer.concat([Buffer.from([0xba, 0x01, ...length]), deep]);
    }
    assert.match(refusal(() => readProtobuf(all, deep)).message, /nests deeper/);
    assert.match(refusal(() => readProtobuf(all, Buffer.alloc(1_000_000, 0xa3))).message, /more than 10 bytes/);
    const groups = Buffer.concat(Array.from({ length: 10_000 }, () => Buffer.from([0xa3, 0x06])));
    assert.match(refusal(() => readProtobuf(all, groups)).message, /nests deeper/);
    const wide = planOf(
      'W',
      `syntax = "proto3"; message W { repeated F f = 1; } message F { ${Array.from({ length: 1_000 }, (_, at) => `int32 f${at} = ${at + 1};`).join('')} }`,
    );
    const many = Buffer.concat(Array.from({ length: 200_000 }, () => Buffer.from([10, 0])));
    assert.equal(refusal(() => readProtobuf(wide, many)).poison, 'too-large');
  });
});
