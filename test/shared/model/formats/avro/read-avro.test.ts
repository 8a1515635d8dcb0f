import assert from 'node:assert/strict';
import { test } from 'node:test';
import avsc from 'avsc';
import fc from 'fast-check';
import { PoisonError } from '../../../../../shared/model/events/records/poison.ts';
import { Bytes, Double, ExactNumber, Unfit } from '../../../../../shared/model/events/values/document-leaf.ts';
import type { JsonValue } from '../../../../../shared/model/events/values/exact-json.ts';
import { parseAvroSchema } from '../../../../../shared/model/formats/avro/parse-avro-schema.ts';
import { readAvro } from '../../../../../shared/model/formats/avro/read-avro.ts';
import { withinCpuSeconds } from '../../../within-cpu-seconds.ts';

/** Another reader's longs, whole. */
const longs = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
});

function encode(schema: unknown, value: unknown): Buffer {
  const text = JSON.parse(JSON.stringify(schema));
  return avsc.Type.forSchema(text, { registry: { long: longs }, wrapUnions: true }).toBuffer(value);
}

function decode(schema: unknown, bytes: Uint8Array, connect = false): JsonValue {
  return readAvro(parseAvroSchema({ text: JSON.stringify(schema), references: [], connect }), Buffer.from(bytes));
}

function refusal(read: () => unknown): PoisonError {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof PoisonError, String(error));
    return error;
  }
  return assert.fail('it was taken');
}

/** A schema, the value as the other library takes it, and the document that it must become. */
interface Sample {
  readonly schema: unknown;
  readonly given: unknown;
  readonly document: JsonValue;
}

let names = 0;
const newName = (): string => `T${names++}`;
const sample = <T>(schema: unknown, values: fc.Arbitrary<T>, document: (value: T) => JsonValue): fc.Arbitrary<Sample> =>
  values.map((given) => ({ schema, given, document: document(given) }));
const whole = (value: bigint): JsonValue =>
  Number.isSafeInteger(Number(value)) ? Number(value) : new ExactNumber(String(value));
const real = (value: number): JsonValue => (Object.is(Math.fround(value), value) ? value : new Double(value));
const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const bytes = fc.uint8Array({ maxLength: 12 }).map((array) => Buffer.from(array));

const scalars = fc.oneof(
  sample('null', fc.constant(null), () => null),
  sample('boolean', fc.boolean(), (value) => value),
  sample('int', fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (value) => value),
  sample('long', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), whole),
  sample('float', fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => value),
  sample('double', fc.double({ noNaN: true, noDefaultInfinity: true }), real),
  sample('string', text, (value) => value),
  sample('bytes', bytes, (value) => new Bytes(value)),
  bytes.map((given) => ({
    schema: { type: 'fixed', name: newName(), size: given.length },
    given,
    document: new Bytes(given),
  })),
  fc.constantFrom('A', 'B', 'C').map((symbol) => ({
    schema: { type: 'enum', name: newName(), symbols: ['A', 'B', 'C'] },
    given: symbol,
    document: symbol,
  })),
);

const { any } = fc.letrec<{ any: Sample }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    scalars,
    tie('any').map(({ schema, given, document }) => ({
      schema: { type: 'array', items: schema },
      given: [given, given],
      document: [document, document],
    })),
    fc.tuple(tie('any'), text).map(([{ schema, given, document }, key]) => ({
      schema: { type: 'map', values: schema },
      given: { [`k${key}`]: given },
      document: { [`k${key}`]: document },
    })),
    fc.array(tie('any'), { maxLength: 4 }).map((fields) => ({
      schema: {
        type: 'record',
        name: newName(),
        fields: fields.map(({ schema }, at) => ({ name: `f${at}`, type: schema })),
      },
      given: Object.fromEntries(fields.map(({ given }, at) => [`f${at}`, given])),
      document: Object.fromEntries(fields.map(({ document }, at) => [`f${at}`, document])),
    })),
    fc.tuple(tie('any'), fc.boolean()).map(([{ schema, given, document }, isNull]) => {
      const name = newName();
      const record = { type: 'record', name, fields: [{ name: 'v', type: schema }] };
      return {
        schema: ['null', record],
        given: isNull ? null : { [name]: { v: given } },
        document: isNull ? null : { v: document },
      };
    }),
  ),
}));

test('readAvro() reads every value of every schema as another library wrote it', () => {
  fc.assert(
    fc.property(any, ({ schema, given, document }) => {
      assert.deepEqual(decode(schema, encode(schema, given)), document);
    }),
    { numRuns: 2_000 },
  );
});

test('readAvro() either reads or sets aside whatever bytes come, and says why', () => {
  let refused = 0;
  const mutated = fc.tuple(
    any,
    fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 }),
    fc.nat({ max: 20 }),
  );
  fc.assert(
    fc.property(mutated, fc.uint8Array({ maxLength: 40 }), ([{ schema, given }, changes, cut], noise) => {
      const real = Buffer.from(encode(schema, given));
      for (const [at, byte] of changes) if (real.length > 0) real[at % real.length] = byte;
      for (const input of [real, real.subarray(0, Math.max(0, real.length - cut)), noise]) {
        try {
          decode(schema, input);
        } catch (error) {
          assert.ok(error instanceof PoisonError, String(error));
          assert.ok(error.message.length > 20);
          refused++;
        }
      }
    }),
    { numRuns: 3_500 },
  );
  assert.ok(refused > 2_000, `only ${refused} were refused`);
});

test('readAvro() knows NaN and the infinities', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    assert.deepEqual(decode('double', encode('double', value)), new Double(value));
    assert.deepEqual(decode('float', encode('float', value)), new Double(value));
  }
});

test('readAvro() reads recursive and namespaced types by their names', () => {
  const schema = {
    type: 'record',
    name: 'Node',
    namespace: 'a.b',
    fields: [
      { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['LEAF', 'FORK'] } },
      { name: 'again', type: 'Kind' },
      { name: 'also', type: 'a.b.Kind' },
      { name: 'next', type: ['null', 'Node'] },
      { name: '__proto__', type: 'int' },
    ],
  };
  const bytes = Buffer.from([2, 0, 2, 2, 0, 0, 0, 0, 14, 18]);
  assert.equal(
    JSON.stringify(decode(schema, bytes)),
    '{"kind":"FORK","again":"LEAF","also":"FORK","next":{"kind":"LEAF","again":"LEAF","also":"LEAF","next":null,"__proto__":7},"__proto__":9}',
  );
});

const logical = (type: unknown, logicalType: string, more: object = {}) =>
  Object.assign({}, typeof type === 'string' ? { type } : type, { logicalType }, more);

for (const [schema, given, document] of [
  [logical('int', 'date'), 19_723, '2024-01-01'],
  [logical('int', 'date'), -719_162, '0001-01-01'],
  [logical('int', 'date'), -719_163, new Unfit('the day -719163 days after 1970-01-01')],
  [logical('int', 'time-millis'), 86_399_999, '23:59:59.999'],
  [logical('int', 'time-millis'), 86_400_000, new Unfit('the time of day 86400000 / 1000 s')],
  [logical('long', 'time-micros'), 1n, '00:00:00.000001'],
  [logical('long', 'timestamp-millis'), -1n, '1969-12-31T23:59:59.999Z'],
  [logical('long', 'timestamp-micros'), 1_700_000_000_123_456n, '2023-11-14T22:13:20.123456Z'],
  [logical('long', 'timestamp-nanos'), 1_700_000_000_123_456_789n, '2023-11-14T22:13:20.123456789Z'],
  [logical('long', 'timestamp-millis'), 253_402_300_799_999n, '9999-12-31T23:59:59.999Z'],
  [
    logical('long', 'timestamp-millis'),
    253_402_300_800_000n,
    new Unfit('the time 253402300800000 / 1000 s after 1970'),
  ],
  [logical('long', 'local-timestamp-micros'), 5n, '1970-01-01T00:00:00.000005'],
  [logical('bytes', 'decimal', { precision: 9, scale: 2 }), Buffer.from([0xff, 0x85]), new ExactNumber('-1.23')],
  [logical('bytes', 'decimal', { precision: 9, scale: 2 }), Buffer.from([5]), new ExactNumber('0.05')],
  [logical('bytes', 'decimal', { precision: 9 }), Buffer.from([5]), 5],
  [logical('bytes', 'decimal', { precision: 2, scale: 3 }), Buffer.from([5]), new Bytes(Buffer.from([5]))],
  [logical('bytes', 'decimal', { precision: 9, scale: 2 }), Buffer.alloc(0), new Unfit('a decimal without digits')],
  [
    logical({ type: 'fixed', size: 3, name: 'D' }, 'decimal', { precision: 7, scale: 1 }),
    Buffer.from([0, 1, 0]),
    new ExactNumber('25.6'),
  ],
  [logical('bytes', 'big-decimal'), Buffer.from([4, 0x04, 0xd2, 4]), new ExactNumber('12.34')],
  [logical('bytes', 'big-decimal'), Buffer.from([8, 1]), new Unfit('a big decimal that is not whole')],
  [logical('string', 'uuid'), '6ba7b810-9dad-11d1-80b4-00c04fd430c8', '6ba7b810-9dad-11d1-80b4-00c04fd430c8'],
  [
    logical({ type: 'fixed', size: 16, name: 'U' }, 'uuid'),
    Buffer.from('6ba7b8109dad11d180b400c04fd430c8', 'hex'),
    '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
  ],
  [
    logical({ type: 'fixed', size: 12, name: 'P' }, 'duration'),
    Buffer.alloc(12),
    new Unfit('a duration of months, days and milliseconds'),
  ],
  [logical('int', 'never-heard-of'), 5, 5],
  [logical('long', 'date'), 5n, 5],
] as const) {
  test(`readAvro() takes ${JSON.stringify(schema)} of ${typeof given === 'bigint' ? given : JSON.stringify(given)} for what it means`, () => {
    const { logicalType: _, ...plain } = schema;
    const bytes = encode(Object.values(plain)[0] === 'long' ? 'long' : plain, given);
    assert.deepEqual(decode(schema, bytes), document);
  });
}

test('readAvro() honours the names of Kafka Connect exactly when asked to', () => {
  const micros = { type: 'long', 'connect.name': 'io.debezium.time.MicroTimestamp' };
  const bytes = encode('long', 1_700_000_000_123_456n);
  assert.equal(decode(micros, bytes, true), '2023-11-14T22:13:20.123456Z');
  assert.equal(decode(micros, bytes), 1_700_000_000_123_456);
  const decimal = {
    type: 'bytes',
    'connect.name': 'org.apache.kafka.connect.data.Decimal',
    'connect.parameters': { scale: '2', 'connect.decimal.precision': '9' },
  };
  assert.deepEqual(decode(decimal, Buffer.from([4, 0x04, 0xd2]), true), new ExactNumber('12.34'));
});

for (const [what, schema, hex] of [
  ['a varint of eleven bytes', 'long', 'ffffffffffffffffffff01'],
  ['a varint of 65 bits', 'long', 'ffffffffffffffffff02'],
  ['an int of 33 bits', 'int', '8080808020'],
  ['a boolean of 2', 'boolean', '02'],
  ['a string longer than the record', 'string', '0a6162'],
  ['a string of negative length', 'string', '01'],
  ['a string that is not UTF-8', 'string', '04c328'],
  ['bytes after the value', 'int', '0202'],
  ['no bytes at all', 'int', ''],
  ['a branch that the union lacks', ['null', 'int'], '04'],
  ['a negative branch', ['null', 'int'], '01'],
  ['a symbol that the enum lacks', { type: 'enum', name: 'E', symbols: ['A'] }, '02'],
  ['a block of another size than it says', { type: 'array', items: 'int' }, '030402020400'],
] as const) {
  test(`readAvro() refuses ${what}`, () => {
    assert.equal(refusal(() => decode(schema, Buffer.from(hex, 'hex'))).poison, 'undecodable');
  });
}

test('readAvro() reads blocks with a size, and several blocks of one array', () => {
  assert.deepEqual(
    decode({ type: 'array', items: 'int' }, Buffer.from('0304020402060 0'.replace(' ', ''), 'hex')),
    [1, 2, 3],
  );
});

test('readAvro() bounds arrays whose items cost no byte, and values that nest without end', () => {
  const empty = { type: 'record', name: 'E', fields: [{ name: 'n', type: 'null' }] };
  const many = Buffer.concat([encode('long', 2n ** 62n), Buffer.from([0])]);
  withinCpuSeconds(30, () => {
    assert.equal(refusal(() => decode({ type: 'array', items: 'null' }, many)).poison, 'too-large');
    assert.equal(refusal(() => decode({ type: 'array', items: empty }, many)).poison, 'too-large');
    const endless = { type: 'record', name: 'R', fields: [{ name: 'r', type: 'R' }] };
    assert.match(refusal(() => decode(endless, Buffer.alloc(3))).message, /nests deeper/);
    const list = {
      type: 'array',
      items: ['null', { type: 'record', name: 'L', fields: [{ name: 'l', type: ['null', 'L'] }] }],
    };
    const deep = Buffer.concat([Buffer.from([2]), Buffer.alloc(1_000_000, 2), Buffer.from([0, 0])]);
    assert.match(refusal(() => decode(list, deep)).message, /nests deeper/);
  });
});
