import assert from 'node:assert/strict';
import { test } from 'node:test';
import avsc from 'avsc';
import fc from 'fast-check';
import { PoisonError } from '../../../../../shared/model/events/records/poison.ts';
import { Bytes, ExactNumber, Unfit } from '../../../../../shared/model/events/values/document-leaf.ts';
import type { JsonValue } from '../../../../../shared/model/events/values/exact-json.ts';
import { decoderOf } from '../../../../../shared/model/formats/decoder-of.ts';
import type { RecordDecoder } from '../../../../../shared/model/formats/record-decoder.ts';
import { book, framed } from '../book-fixture.ts';

const schema = { kind: 'registry' } as const;

function json(more: { flattened?: boolean; part?: 'key' | 'value' } = {}): RecordDecoder {
  const { flattened = false, part = 'value' } = more;
  return decoderOf({ kind: 'debezium', encoding: 'json', schema, flattened }, { schemas: book(), part });
}

const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

function refusal(read: () => unknown): PoisonError {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof PoisonError, String(error));
    return error;
  }
  return assert.fail('it was taken');
}

/** An event of PostgreSQL's connector, as its documentation shows it. */
const source = {
  version: '3.2.0.Final',
  connector: 'postgresql',
  name: 'shop',
  ts_ms: 1_700_000_000_000,
  snapshot: 'false',
  db: 'shop',
  sequence: '["24023119","24023128"]',
  schema: 'public',
  table: 'orders',
  txId: 555,
  lsn: 24_023_128,
  xmin: null,
};
const row = { id: 1, name: 'Anna' };

for (const op of ['c', 'u', 'r']) {
  test(`debeziumDecoder() takes op ${op} as the row’s state after it, with its origin`, () => {
    const { document, isDeletion } = json().decode(
      bytesOf({ before: null, after: row, source, op, ts_ms: 5, transaction: null }),
    );
    assert.equal(isDeletion, false);
    assert.deepEqual(document, { ...row, __op: op, __ts_ms: 5, __source: source });
  });
}

test('debeziumDecoder() takes a delete as the row’s last state, and without one as its origin alone', () => {
  const event = { before: { id: 1, name: null }, after: null, source, op: 'd', ts_ms: 5 };
  assert.deepEqual(json().decode(bytesOf(event)), {
    document: { id: 1, name: null, __op: 'd', __ts_ms: 5, __source: source },
    isDeletion: true,
  });
  assert.deepEqual(json().decode(bytesOf({ op: 'd', before: null })), { document: { __op: 'd' }, isDeletion: true });
});

for (const [what, event, poison, message] of [
  ['a truncate', { op: 't', source }, 'unmappable', /truncates table orders/],
  ['a message of the log', { op: 'm', source }, 'unmappable', /op "m"/],
  ['no envelope', row, 'undecodable', /flattened/],
  ['a change without a row', { op: 'c', after: null }, 'undecodable', /no row in `after`/],
  ['a list', [], 'undecodable', /no change event/],
  ['a text', 'x', 'undecodable', /no change event/],
] as const) {
  test(`debeziumDecoder() sets ${what} aside`, () => {
    const error = refusal(() => json().decode(bytesOf(event)));
    assert.equal(error.poison, poison);
    assert.match(error.message, message);
  });
}

test('debeziumDecoder() sets bytes aside that have a registry’s frame or are no JSON', () => {
  assert.match(refusal(() => json().decode(framed(5, Buffer.from('{}')))).message, /schema 5/);
  assert.match(refusal(() => json().decode(Buffer.from('{'))).message, /not JSON/);
});

const field = (name: string, type: string, more: object = {}): object => ({
  field: name,
  type,
  optional: true,
  ...more,
});
const valueSchema = {
  type: 'struct',
  name: 'shop.public.orders.Value',
  fields: [
    field('id', 'int64'),
    field('day', 'int32', { name: 'io.debezium.time.Date', version: 1 }),
    field('connect_day', 'int32', { name: 'org.apache.kafka.connect.data.Date' }),
    field('millis', 'int64', { name: 'io.debezium.time.Timestamp' }),
    field('micros', 'int64', { name: 'io.debezium.time.MicroTimestamp' }),
    field('nanos', 'int64', { name: 'io.debezium.time.NanoTimestamp' }),
    field('connect_at', 'int64', { name: 'org.apache.kafka.connect.data.Timestamp' }),
    field('zoned', 'string', { name: 'io.debezium.time.ZonedTimestamp' }),
    field('time', 'int64', { name: 'io.debezium.time.MicroTime' }),
    field('price', 'bytes', {
      name: 'org.apache.kafka.connect.data.Decimal',
      parameters: { scale: '2', 'connect.decimal.precision': '10' },
    }),
    field('any_scale', 'struct', {
      name: 'io.debezium.data.VariableScaleDecimal',
      fields: [field('scale', 'int32'), field('value', 'bytes')],
    }),
    field('uuid', 'string', { name: 'io.debezium.data.Uuid' }),
    field('doc', 'string', { name: 'io.debezium.data.Json' }),
    field('raw', 'bytes'),
    field('tags', 'array', { items: { type: 'int32', name: 'io.debezium.time.Date' } }),
    field('days', 'map', { keys: { type: 'string' }, values: { type: 'int32', name: 'io.debezium.time.Date' } }),
    field('forever', 'int32', { name: 'io.debezium.time.Date' }),
    field('toast', 'string'),
    field('nothing', 'int32', { name: 'io.debezium.time.Date' }),
  ],
};
const encoded = {
  id: 7,
  day: 19_723,
  connect_day: -1,
  millis: 1_700_000_000_123,
  micros: 1_700_000_000_123_456,
  connect_at: 0,
  zoned: '2024-01-01T01:00:00.5+01:00',
  time: 3_600_000_001,
  price: 'BNI=',
  any_scale: { scale: 3, value: '/4U=' },
  uuid: '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
  doc: '{"a":12345678901234567890}',
  raw: '/wA=',
  tags: [0, null],
  days: { x: 1 },
  forever: 2_147_483_647,
  toast: '__debezium_unavailable_value',
  nothing: null,
  unnamed: 5,
};
const meant: JsonValue = {
  id: 7,
  day: '2024-01-01',
  connect_day: '1969-12-31',
  millis: '2023-11-14T22:13:20.123Z',
  micros: '2023-11-14T22:13:20.123456Z',
  connect_at: '1970-01-01T00:00:00Z',
  zoned: '2024-01-01T01:00:00.5+01:00',
  time: '01:00:00.000001',
  price: new ExactNumber('12.34'),
  any_scale: new ExactNumber('-0.123'),
  uuid: '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
  doc: { a: new ExactNumber('12345678901234567890') },
  raw: new Bytes(Buffer.from([255, 0])),
  tags: ['1970-01-01', null],
  days: { x: '1970-01-02' },
  forever: new Unfit('the day 2147483647 days after 1970-01-01'),
  toast: new Unfit('a large value that the database did not send with the change'),
  nothing: null,
  unnamed: 5,
  nanos: '2023-11-14T22:13:20.123456789Z',
};
/** Nanoseconds have more digits than JavaScript keeps. */
const withNanos = (text: string): Buffer => Buffer.from(text.replace('"id":7', '"id":7,"nanos":1700000000123456789'));

test('debeziumDecoder() takes values for what the schema beside them says', () => {
  const envelope = {
    type: 'struct',
    name: 'shop.public.orders.Envelope',
    fields: [
      { ...valueSchema, field: 'before' },
      { ...valueSchema, field: 'after' },
      { field: 'op', type: 'string' },
    ],
  };
  const event = { schema: envelope, payload: { before: null, after: encoded, source, op: 'c', ts_ms: 5 } };
  assert.deepEqual(json().decode(withNanos(JSON.stringify(event))).document, {
    ...meant,
    __op: 'c',
    __ts_ms: 5,
    __source: source,
  });
  const flat = { schema: valueSchema, payload: encoded };
  assert.deepEqual(json({ flattened: true }).decode(withNanos(JSON.stringify(flat))).document, meant);
});

test('debeziumDecoder() takes flattened rows, and their deletions by either mark', () => {
  const flat = json({ flattened: true });
  assert.deepEqual(flat.decode(bytesOf({ id: 1, __deleted: 'false' })), {
    document: { id: 1, __deleted: 'false' },
    isDeletion: false,
  });
  for (const mark of [{ __deleted: 'true' }, { __deleted: true }, { __op: 'd' }]) {
    assert.equal(flat.decode(bytesOf({ id: 1, ...mark })).isDeletion, true, JSON.stringify(mark));
  }
  assert.equal(refusal(() => flat.decode(bytesOf([]))).poison, 'undecodable');
});

test('debeziumDecoder() reads keys, with a schema and without', () => {
  const keys = json({ part: 'key' });
  assert.deepEqual(keys.decode(bytesOf({ id: 1 })), { document: { id: 1 }, isDeletion: false });
  const key = {
    schema: { type: 'struct', fields: [field('day', 'int32', { name: 'io.debezium.time.Date' })] },
    payload: { day: 1 },
  };
  assert.deepEqual(keys.decode(bytesOf(key)).document, { day: '1970-01-02' });
});

const avroRow = {
  type: 'record',
  name: 'Value',
  namespace: 'shop.public.orders',
  fields: [
    { name: 'id', type: 'int' },
    { name: 'day', type: ['null', { type: 'int', 'connect.version': 1, 'connect.name': 'io.debezium.time.Date' }] },
    {
      name: 'price',
      type: {
        type: 'bytes',
        scale: 2,
        precision: 10,
        'connect.name': 'org.apache.kafka.connect.data.Decimal',
        'connect.parameters': { scale: '2' },
        logicalType: 'decimal',
      },
    },
    { name: 'doc', type: { type: 'string', 'connect.name': 'io.debezium.data.Json' } },
  ],
};
const avroEnvelope = {
  type: 'record',
  name: 'Envelope',
  namespace: 'shop.public.orders',
  'connect.name': 'shop.public.orders.Envelope',
  fields: [
    { name: 'before', type: ['null', avroRow], default: null },
    { name: 'after', type: ['null', 'Value'], default: null },
    { name: 'source', type: { type: 'record', name: 'Source', fields: [{ name: 'lsn', type: ['null', 'long'] }] } },
    { name: 'op', type: 'string' },
    { name: 'ts_ms', type: ['null', 'long'] },
  ],
};

test('debeziumDecoder() reads Avro envelopes, flattened rows and keys', () => {
  const schemas = book({ text: JSON.stringify(avroEnvelope) }, { text: JSON.stringify(avroRow) });
  const avro = (flattened: boolean, part: 'key' | 'value' = 'value') =>
    decoderOf({ kind: 'debezium', encoding: 'avro', schema, flattened }, { schemas, part });
  const encode = (type: unknown, value: unknown): Buffer =>
    avsc.Type.forSchema(JSON.parse(JSON.stringify(type).replaceAll('"logicalType":"decimal"', '"x":0'))).toBuffer(
      value,
    );
  const given = { id: 1, day: 1, price: Buffer.from([4, 0xd2]), doc: '[1]' };
  const wanted = { id: 1, day: '1970-01-02', price: new ExactNumber('12.34'), doc: [1] };
  const created = encode(avroEnvelope, { before: null, after: given, source: { lsn: 9 }, op: 'c', ts_ms: 5 });
  assert.deepEqual(avro(false).decode(framed(1, created)), {
    document: { ...wanted, __op: 'c', __ts_ms: 5, __source: { lsn: 9 } },
    isDeletion: false,
  });
  const deleted = encode(avroEnvelope, { before: given, after: null, source: { lsn: 10 }, op: 'd', ts_ms: 6 });
  assert.equal(avro(false).decode(framed(1, deleted)).isDeletion, true);
  assert.deepEqual(avro(true).decode(framed(2, encode(avroRow, given))).document, wanted);
  assert.deepEqual(avro(false, 'key').decode(framed(2, encode(avroRow, given))).document, wanted);
  assert.equal(avro(false).missingSchema(framed(3)), 3);
});

test('debeziumDecoder() either reads or sets aside whatever comes, and says why', () => {
  const real = withNanos(JSON.stringify({ schema: valueSchema, payload: { ...encoded, op: 'u', after: encoded } }));
  const mutated = fc.tuple(fc.nat(), fc.string({ maxLength: 4 }), fc.nat({ max: 6 })).map(([at, noise, cut]) => {
    const text = real.toString();
    const place = at % text.length;
    return Buffer.from(text.slice(0, place) + noise + text.slice(place + cut));
  });
  const odd = fc
    .tuple(fc.jsonValue(), fc.jsonValue(), fc.constantFrom('c', 'u', 'd', 't', 'r'))
    .map(([one, other, op]) => bytesOf({ schema: one, payload: { op, after: other, before: one, source: other } }));
  let refused = 0;
  fc.assert(
    fc.property(
      fc.oneof(
        mutated,
        odd,
        fc.json().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        for (const decoder of [json(), json({ flattened: true }), json({ part: 'key' })]) {
          try {
            decoder.decode(bytes);
          } catch (error) {
            assert.ok(error instanceof PoisonError && error.message.length > 20, String(error));
            refused++;
          }
        }
      },
    ),
    { numRuns: 4_000 },
  );
  assert.ok(refused > 1_000, `only ${refused} were refused`);
});

test('debeziumDecoder() bounds schemas that nest, and takes names of any kind', () => {
  let deep: JsonValue = { type: 'int32' };
  let value: JsonValue = 1;
  for (let depth = 0; depth < 200; depth++) {
    deep = { type: 'array', items: deep };
    value = [value];
  }
  assert.match(refusal(() => json({ part: 'key' }).decode(bytesOf({ schema: deep, payload: value }))).message, /nests/);
  const bytes = Buffer.from(
    '{"schema":{"type":"struct","fields":[{"field":"__proto__","type":"bytes"}]},"payload":{"__proto__":"AA=="}}',
  );
  assert.equal(JSON.stringify(json({ part: 'key' }).decode(bytes).document), '{"__proto__":"AA=="}');
});
