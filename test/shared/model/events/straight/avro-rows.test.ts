import assert from 'node:assert/strict';
import { test } from 'node:test';
import avsc from 'avsc';
import fc from 'fast-check';
import type { SchemaSource } from '../../../../../shared/model/config/declaration.ts';
import type { RawRecord } from '../../../../../shared/model/events/records/raw-record.ts';
import { straightMapper } from '../../../../../shared/model/events/straight/straight-rows.ts';
import { planColumns } from '../../../../../shared/model/events/tables/column-plan.ts';
import type { SchemaBook } from '../../../../../shared/model/formats/schema-book.ts';
import { plainPipeline, plainTarget } from '../../config/plain-pipeline.ts';
import { book, framed } from '../../formats/book-fixture.ts';
import { column, field, record, table } from '../pipeline-fixture.ts';
import { type BothWays, bothWays } from './straight-fixture.ts';

/** Another library's longs, whole. */
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

/** A type of a field, values of it, and the columns that take all of them. */
interface Kind {
  readonly schema: unknown;
  readonly values: fc.Arbitrary<unknown>;
  readonly types: readonly string[];
}

const text = fc.string({ unit: 'grapheme', maxLength: 90 });
const anyLong = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const someLong = fc.oneof(
  anyLong,
  fc.bigInt({ min: -(2n ** 50n), max: 2n ** 50n }),
  fc.bigInt({ min: -70n, max: 70n }),
);
const within = (years: bigint, perSecond: bigint) => {
  const max = years * 31_556_952n * perSecond;
  return fc.bigInt({ min: -max, max }).map(Number);
};
const symbols = ['A', 'BB', 'LONG_SYMBOL_THAT_IS_LONGER_THAN_ITS_INDEX'];

const kinds: readonly Kind[] = [
  { schema: 'boolean', values: fc.boolean(), types: ['BOOL', 'JSON'] },
  { schema: 'int', values: fc.integer(), types: ['INT64', 'NUMERIC', 'FLOAT64', 'FLOAT32', 'JSON'] },
  { schema: 'long', values: someLong, types: ['INT64', 'NUMERIC', 'FLOAT64', 'JSON'] },
  { schema: 'float', values: fc.float(), types: ['FLOAT32', 'FLOAT64'] },
  { schema: 'double', values: fc.double(), types: ['FLOAT64'] },
  { schema: 'string', values: text, types: ['STRING(MAX)', 'STRING(90)', 'JSON'] },
  { schema: 'bytes', values: fc.uint8Array().map((bytes) => Buffer.from(bytes)), types: ['BYTES(MAX)', 'JSON'] },
  { schema: { type: 'fixed', name: 'F', size: 3 }, values: fc.constant(Buffer.from('abc')), types: ['BYTES(3)'] },
  { schema: { type: 'enum', name: 'E', symbols }, values: fc.constantFrom(...symbols), types: ['STRING(MAX)', 'JSON'] },
  {
    schema: { type: 'int', logicalType: 'date' },
    values: fc.integer({ min: -719_162, max: 2_932_896 }),
    types: ['DATE', 'STRING(10)'],
  },
  {
    schema: { type: 'long', logicalType: 'timestamp-millis' },
    values: within(900n, 1_000n),
    types: ['TIMESTAMP', 'STRING(40)'],
  },
  {
    schema: { type: 'long', logicalType: 'timestamp-micros' },
    values: within(250n, 1_000_000n),
    types: ['TIMESTAMP', 'STRING(40)'],
  },
  {
    schema: { type: 'long', logicalType: 'timestamp-nanos' },
    values: fc.bigInt({ min: -(2n ** 52n), max: 2n ** 52n }).map(Number),
    types: ['TIMESTAMP'],
  },
  { schema: { type: 'string', logicalType: 'uuid' }, values: fc.uuid(), types: ['UUID', 'STRING(36)'] },
  {
    schema: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 },
    values: fc.uint8Array({ minLength: 1, maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
    types: ['NUMERIC', 'FLOAT64'],
  },
  { schema: { type: 'array', items: 'long' }, values: fc.array(someLong), types: ['ARRAY<INT64>', 'JSON'] },
  { schema: { type: 'map', values: 'string' }, values: fc.dictionary(text, text), types: ['JSON'] },
];

const part = fc.constantFrom(...kinds).chain((kind) =>
  fc.record({
    kind: fc.constant(kind),
    type: fc.constantFrom(...kind.types, 'skipped'),
    how: fc.constantFrom('plain', 'null first', 'null last'),
    isNested: fc.boolean(),
  }),
);

interface Case {
  readonly schema: unknown;
  readonly ways: BothWays;
  readonly values: fc.Arbitrary<Buffer>;
}

type Part = typeof part extends fc.Arbitrary<infer T> ? T : never;

/** Every named type is defined where it comes first, and named after. */
function namedOnce(): (schema: unknown) => unknown {
  const seen = new Set<unknown>();
  return (schema) => {
    const name: unknown = typeof schema === 'object' && schema !== null && 'name' in schema ? schema.name : undefined;
    if (name === undefined || !seen.has(name)) {
      seen.add(name);
      return schema;
    }
    return name;
  };
}

function caseOf(parts: readonly Part[], isFramed: boolean): Case {
  const once = namedOnce();
  // Outer fields first, as they stand in the schema.
  const fieldsOf = (isNested: boolean) =>
    parts.flatMap(({ kind, how, isNested: lies }, at) => {
      if (lies !== isNested) return [];
      const type = once(kind.schema);
      return [
        { name: `f${at}`, type: how === 'plain' ? type : how === 'null first' ? ['null', type] : [type, 'null'] },
      ];
    });
  const outer = fieldsOf(false);
  const inner = fieldsOf(true);
  const nested = { type: 'record', name: 'Inner', fields: inner };
  const schema = { type: 'record', name: 'Row', fields: [...outer, { name: 'in', type: ['null', nested] }] };
  const wanted = parts.flatMap(({ type, isNested }, at) =>
    type === 'skipped' ? [] : [{ name: `C${at}`, type, path: isNested ? `in.f${at}` : `f${at}` }],
  );
  const columns = [
    column('Id', 'STRING(MAX)', { notNull: true }),
    ...wanted.map(({ name, type }) => column(name, type)),
  ];
  const sources = wanted.map(({ name, path }) => field(name, path));
  const avro = JSON.stringify(schema);
  const source: SchemaSource = isFramed ? { kind: 'registry' } : { kind: 'file', file: 'row.avsc', text: avro };
  const format = { kind: 'avro', schema: source } as const;
  const known = book({ id: 7, text: avro });
  const schemas: SchemaBook = { ...known, get: (id) => known.get(id) ?? 'absent' };
  const ways = bothWays(
    table(columns),
    [{ ...field('Id', ''), from: { kind: 'key' } }, ...sources],
    {},
    { format, schemas },
  );
  const branch = (at: number): string => {
    const given = parts[at]?.kind.schema;
    if (typeof given === 'string') return given;
    assert.ok(typeof given === 'object' && given !== null && 'type' in given && typeof given.type === 'string');
    return 'name' in given ? String(given.name) : given.type;
  };
  const valuesOf = (at: number) => {
    const { kind, how } = parts[at] ?? assert.fail();
    if (how === 'plain') return kind.values;
    return fc.option(
      kind.values.map((value) => ({ [branch(at)]: value })),
      { nil: null },
    );
  };
  const members = fc.tuple(...parts.map((_, at) => valuesOf(at).map((value) => [`f${at}`, value] as const)));
  const values = fc.tuple(members, fc.boolean()).map(([all, hasInner]) => {
    const own = all.filter((_, at) => !parts[at]?.isNested);
    const inside = all.filter((_, at) => parts[at]?.isNested);
    const bytes = encode(schema, {
      ...Object.fromEntries(own),
      in: hasInner ? { Inner: Object.fromEntries(inside) } : null,
    });
    return isFramed ? framed(7, bytes) : bytes;
  });
  return { schema, ways, values };
}

const cases = fc.tuple(fc.array(part, { maxLength: 7 }), fc.boolean()).map(([parts, isFramed]) => {
  const one = caseOf(parts, isFramed);
  return { ...one, [fc.toStringMethod]: () => JSON.stringify(one.schema) };
});

const withValue = (value: Buffer): RawRecord => ({ ...record('k', ''), value });

test('straightMapper() takes every plain record of Avro, and writes what the reference writes', () => {
  fc.assert(
    fc.property(
      cases.chain((one) => fc.tuple(fc.constant(one), fc.array(one.values, { minLength: 1, maxLength: 4 }))),
      ([{ ways }, values]) => {
        for (const value of values)
          assert.ok(ways.agree(withValue(value)), `left to the reference: ${value.toString('hex')}`);
      },
    ),
    { numRuns: 1_000 },
  );
});

const edit = fc.record({
  at: fc.nat(),
  byte: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff)),
  how: fc.nat(9),
});

test('straightMapper() writes nothing of bytes of Avro that the reference refuses', () => {
  let straight = 0;
  fc.assert(
    fc.property(
      cases.chain((one) => fc.tuple(fc.constant(one), one.values, fc.array(edit, { minLength: 1, maxLength: 8 }))),
      ([{ ways }, whole, edits]) => {
        for (const { at, byte, how } of edits) {
          const place = whole.length === 0 ? 0 : at % whole.length;
          const rest = how < 6 ? whole.subarray(place + 1) : how < 9 ? whole.subarray(place) : Buffer.alloc(0);
          if (ways.agree(withValue(Buffer.concat([whole.subarray(0, place), Buffer.from([byte]), rest])))) straight++;
        }
      },
    ),
    { numRuns: 2_000 },
  );
  assert.ok(straight > 500, `${straight} were written straight`);
});

/** Both ways for one field `a` into one column. */
function oneField(type: unknown, columnType: string): BothWays {
  const text = JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'a', type }] });
  const format = { kind: 'avro', schema: { kind: 'file', file: 'r.avsc', text } } as const;
  return bothWays(
    table([column('Id', 'STRING(MAX)'), column('A', columnType)]),
    [{ ...field('Id', ''), from: { kind: 'key' } }, field('A', 'a')],
    {},
    { format },
  );
}

/** A long as Avro writes it, with groups that say nothing behind it. */
function varint(value: bigint, extraGroups = 0): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  for (let group = 0; group < extraGroups; group++) {
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) | 128;
    bytes.push(0);
  }
  return Buffer.from(bytes);
}

test('straightMapper() keeps every digit of every long of Avro, however many bytes it takes', () => {
  const { agree } = oneField('long', 'INT64');
  const edges = [0n, 1n, 2n ** 27n, 2n ** 28n, 2n ** 31n, 2n ** 48n, 2n ** 49n, 2n ** 53n, 2n ** 62n, 2n ** 63n];
  for (const edge of edges) {
    for (const near of [edge - 2n, edge - 1n, edge, edge + 1n].flatMap((value) => [value, -value])) {
      if (near < -(2n ** 63n) || near >= 2n ** 63n) continue;
      const bytes = varint(near);
      for (let extra = 0; bytes.length + extra <= 10; extra++)
        assert.ok(agree(withValue(varint(near, extra))), `${near} ${extra}`);
    }
  }
  assert.ok(!agree(withValue(Buffer.alloc(11, 0x80))));
  assert.ok(!agree(withValue(Buffer.from('ffffffffffffffffff7f', 'hex'))));
  const int = oneField('int', 'INT64');
  assert.ok(int.agree(withValue(varint(2n ** 31n - 1n))));
  for (const over of [2n ** 31n, -(2n ** 31n) - 1n]) assert.ok(!int.agree(withValue(varint(over))));
});

test('straightMapper() leaves days, times and numbers of Avro that no column holds', () => {
  const date = oneField({ type: 'int', logicalType: 'date' }, 'DATE');
  for (const [day, isHeld] of [
    [-719_162, true],
    [-719_163, false],
    [2_932_896, true],
    [2_932_897, false],
  ] as const) {
    assert.equal(date.agree(withValue(varint(BigInt(day)))), isHeld, `${day}`);
  }
  for (const perSecond of [1_000n, 1_000_000n]) {
    const name = perSecond === 1_000n ? 'timestamp-millis' : 'timestamp-micros';
    const { agree } = oneField({ type: 'long', logicalType: name }, 'TIMESTAMP');
    for (const [second, isHeld] of [
      [-62_135_596_800n, true],
      [-62_135_596_801n, false],
      [253_402_300_799n, true],
      [253_402_300_800n, false],
    ] as const) {
      assert.equal(agree(withValue(varint(second * perSecond))), isHeld, `${second}`);
    }
    for (const units of [-1n, 999n, 1_000n, 120_000n]) assert.ok(agree(withValue(varint(units))));
  }
  const float32 = oneField('double', 'FLOAT32');
  const double = (value: number): RawRecord => {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    return withValue(bytes);
  };
  for (const value of [0.5, -0, Number.NaN, Number.POSITIVE_INFINITY])
    assert.ok(float32.agree(double(value)), `${value}`);
  for (const value of [0.1, 1e300]) assert.ok(!float32.agree(double(value)), `${value}`);
});

test('straightMapper() bounds what few bytes of Avro may ask for', () => {
  const nulls = oneField({ type: 'array', items: 'null' }, 'JSON');
  for (const count of [1_000n, 2n ** 40n, 2n ** 62n]) {
    const from = process.cpuUsage();
    nulls.agree(withValue(Buffer.concat([varint(count), varint(0n)])));
    assert.ok(process.cpuUsage(from).user < 500_000);
  }
  const list = { type: 'record', name: 'L', fields: [{ name: 'next', type: ['null', 'L'] }] };
  const deep = oneField(list, 'JSON');
  assert.ok(deep.agree(withValue(Buffer.from('02020200', 'hex'))));
  assert.ok(!deep.agree(withValue(Buffer.alloc(1_000_000, 2))));
});

test('straightMapper() has room for symbols that are longer than the record', () => {
  const symbol = 'S'.repeat(3_000);
  const type = { type: 'enum', name: 'E', symbols: [symbol] };
  const text = JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'a', type }] });
  const names = ['A', 'B', 'C'];
  const { agree } = bothWays(
    table(
      names.map((name) => column(name, 'STRING(MAX)')),
      ['A'],
    ),
    names.map((name) => field(name, 'a')),
    {},
    { format: { kind: 'avro', schema: { kind: 'file', file: 'r.avsc', text } } },
  );
  assert.ok(agree(withValue(Buffer.from([0]))));
});

test('straightMapper() looks as closely at what no column needs', () => {
  const beside = (type: unknown): BothWays => {
    const fields = [
      { name: 'skipped', type },
      { name: 'a', type: 'long' },
    ];
    const text = JSON.stringify({ type: 'record', name: 'R', fields });
    const format = { kind: 'avro', schema: { kind: 'file', file: 'r.avsc', text } } as const;
    return bothWays(table([column('A', 'INT64')], ['A']), [field('A', 'a')], {}, { format });
  };
  const value = (...parts: readonly Uint8Array[]): RawRecord => withValue(Buffer.concat([...parts, varint(7n)]));
  const longs = beside({ type: 'array', items: 'long' });
  const end = varint(0n);
  assert.ok(longs.agree(value(varint(-1n), varint(1n), varint(5n), end)));
  for (const size of [0n, 2n, -1n, 100n])
    assert.ok(!longs.agree(value(varint(-1n), varint(size), varint(5n), end)), `${size}`);
  const empty = {
    type: 'record',
    name: 'N',
    fields: Array.from({ length: 100 }, (_, at) => ({ name: `n${at}`, type: 'null' })),
  };
  const nulls = beside({ type: 'array', items: empty });
  assert.ok(nulls.agree(value(varint(100n), end)));
  assert.ok(!nulls.agree(value(varint(10_000n), end)), 'a million values of few bytes');
  for (const type of ['bytes', 'string']) assert.ok(!beside(type).agree(withValue(varint(-1n))), 'a length below zero');
  const list = beside({ type: 'record', name: 'L', fields: [{ name: 'next', type: ['null', 'L'] }] });
  for (const [depth, isStraight] of [
    [10, true],
    [300, false],
  ] as const) {
    assert.equal(list.agree(value(Buffer.alloc(depth, 2), varint(0n))), isStraight, `${depth}`);
  }
});

test('straightMapper() forgets a symbol when the next record has a text there', () => {
  const { agree } = oneField([{ type: 'enum', name: 'E', symbols: ['SYMBOL'] }, 'string'], 'STRING(MAX)');
  for (let time = 0; time < 2; time++) {
    assert.ok(agree(withValue(Buffer.from([0, 0]))));
    assert.ok(agree(withValue(Buffer.from('\x02\x08text'))));
  }
});

test('straightMapper() reads each record of Avro by the schema that it names', () => {
  const text = (type: string): string => JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'a', type }] });
  const schemas = book(
    { id: 1, text: text('string') },
    { id: 2, text: text('long') },
    { id: 3, type: 'JSON', text: text('long') },
    { id: 4, text: '{' },
  );
  const format = { kind: 'avro', schema: { kind: 'registry' } } as const;
  const columns = [column('Id', 'STRING(MAX)'), column('A', 'INT64')];
  const { agree } = bothWays(
    table(columns),
    [{ ...field('Id', ''), from: { kind: 'key' } }, field('A', 'a')],
    {},
    { format, schemas },
  );
  for (let time = 0; time < 3; time++) {
    assert.ok(agree(withValue(framed(1, Buffer.from('\x0412')))));
    assert.ok(agree(withValue(framed(2, varint(12n)))));
  }
  for (const value of [
    framed(3, varint(12n)),
    framed(4, varint(12n)),
    framed(1_000),
    Buffer.from([1, 0, 0, 0, 2, 2]),
    Buffer.alloc(0),
  ]) {
    assert.ok(!agree(withValue(value)), value.toString('hex'));
  }
});

test('straightMapper() leaves schemas whose paths lead into a map', () => {
  const target = plainTarget({ columns: [field('Id', 'm.id')] });
  const planned = planColumns(target, table([column('Id', 'INT64')]));
  for (const [type, isStraight] of [
    ['map', false],
    ['array', true],
  ] as const) {
    const items = type === 'map' ? 'values' : 'items';
    const text = JSON.stringify({
      type: 'record',
      name: 'R',
      fields: [{ name: 'm', type: { type, [items]: 'long' } }],
    });
    const pipeline = plainPipeline({
      pipeline: { format: { kind: 'avro', schema: { kind: 'file', file: 'r', text } } },
    });
    assert.equal(straightMapper({ pipeline, target, planned, keyAt: [0] }) !== undefined, isStraight);
  }
});
