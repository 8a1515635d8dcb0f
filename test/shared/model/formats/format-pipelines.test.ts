import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ColumnSource, Pipeline, RecordFormat } from '../../../../shared/model/config/declaration.ts';
import { type CompiledPipeline, compilePipeline } from '../../../../shared/model/events/compile-pipeline.ts';
import type { Change } from '../../../../shared/model/events/resolve/change.ts';
import { checkPipeline } from '../../../../shared/model/events/tables/check-pipeline.ts';
import type { TableColumn } from '../../../../shared/model/events/tables/table-schema.ts';
import { decoderOf, loadFormats } from '../../../../shared/model/formats/decoder-of.ts';
import { noSchemas, type SchemaBook } from '../../../../shared/model/formats/schema-book.ts';
import { withinCpuSeconds } from '../../within-cpu-seconds.ts';
import { plainColumn, plainPipeline } from '../config/plain-pipeline.ts';
import { column, table } from '../events/pipeline-fixture.ts';
import { book, framed, recordOf } from './book-fixture.ts';

const registry = { kind: 'registry' } as const;
const file = (text: string) => ({ kind: 'file', file: 'f', text }) as const;
const field = (name: string, path: string): ColumnSource => plainColumn(name, { kind: 'field', path });
const keyField = (name: string, path: string): ColumnSource => plainColumn(name, { kind: 'keyField', path });

await loadFormats([
  { kind: 'protobuf', schema: registry, message: undefined },
  { kind: 'json-schema', schema: registry },
]);

function pipelineOf(format: RecordFormat, sources: readonly ColumnSource[], keyFormat?: RecordFormat): Pipeline {
  return plainPipeline({ pipeline: { format, keyFormat }, columns: sources });
}

function compile(
  pipeline: Pipeline,
  columns: readonly TableColumn[],
  schemas: SchemaBook = noSchemas,
): CompiledPipeline {
  return compilePipeline(pipeline, new Map([['T', table(columns)]]), schemas);
}

function written(change: Change): readonly unknown[] {
  assert.ok(change.kind === 'write', JSON.stringify(change));
  return change.row;
}

const id = column('Id', 'INT64', { notNull: true });
const text = column('Text', 'STRING(MAX)');

test('a key in a format of its own gives columns its fields, or, as a bare value, itself', () => {
  const record = JSON.stringify({ type: 'record', name: 'K', fields: [{ name: 'id', type: 'long' }] });
  for (const [schema, path] of [
    [record, 'id'],
    ['"long"', '$'],
  ] as const) {
    const keyFormat = { kind: 'avro', schema: registry } as const;
    const pipeline = pipelineOf({ kind: 'json' }, [keyField('Id', path), field('Text', 't')], keyFormat);
    const compiled = compile(pipeline, [id, text], book({ text: schema }));
    const key = framed(1, Buffer.from([14]));
    assert.deepEqual(written(compiled.map(recordOf(Buffer.from('{"t":"x"}'), key)).change), ['7', 'x']);
    const deletion = compiled.map(recordOf(null, key)).change;
    assert.ok(deletion.kind === 'delete');
    assert.deepEqual(deletion.key.cells, ['7']);
    assert.deepEqual(compiled.missingSchemas([recordOf(Buffer.from('{}'), framed(5)), recordOf(null, key)]), [5]);
    assert.equal(compiled.map(recordOf(Buffer.from('{}'), Buffer.from('7'))).change.kind, 'poison');
  }
});

test('field `$` is the whole document, whatever it is, the fast way too', () => {
  const pipeline = pipelineOf({ kind: 'json' }, [plainColumn('Id', { kind: 'key' }), field('Doc', '$')]);
  const compiled = compile(pipeline, [id, column('Doc', 'JSON')]);
  for (const value of ['{"a":12345678901234567890,"$":1}', '[1]', '"x"', '7']) {
    const record = recordOf(Buffer.from(value), Buffer.from('7'));
    assert.deepEqual(written(compiled.map(record).change), ['7', value]);
    const [fast] = compiled.mapAll([record]);
    assert.deepEqual(fast?.change, compiled.map(record).change);
  }
});

test('a tombstone of Debezium deletes by the record’s key, and says nothing where the key stands in the value', () => {
  const format = { kind: 'debezium', encoding: 'json', schema: registry, flattened: false } as const;
  const key = Buffer.from('{"schema":{"type":"struct","fields":[]},"payload":{"id":7}}');
  const event = (op: string) => recordOf(Buffer.from(JSON.stringify({ op, before: { id: 7 }, after: { id: 7 } })), key);
  const byKey = compile(pipelineOf(format, [keyField('Id', 'id')], format), [id]);
  const byValue = compile(pipelineOf(format, [field('Id', 'id')]), [id]);
  for (const compiled of [byKey, byValue]) {
    assert.deepEqual(written(compiled.map(event('u')).change), ['7']);
    const deletion = compiled.map(event('d')).change;
    assert.ok(deletion.kind === 'delete');
    assert.deepEqual(deletion.key.cells, ['7']);
  }
  assert.equal(byKey.map(recordOf(null, key)).change.kind, 'delete');
  assert.equal(byValue.map(recordOf(null, key)).change.kind, 'none');
});

test('a value that no column can hold is poison for the record that needs it, and no other', () => {
  const schema = JSON.stringify({
    type: 'record',
    name: 'R',
    fields: [
      { name: 'id', type: 'long' },
      { name: 'day', type: { type: 'int', logicalType: 'date' } },
    ],
  });
  const format = { kind: 'avro', schema: file(schema) } as const;
  const far = recordOf(Buffer.from([14, 0xfe, 0xff, 0xff, 0xff, 0x0f]));
  const without = compile(pipelineOf(format, [field('Id', 'id')]), [id]);
  assert.deepEqual(written(without.map(far).change), ['7']);
  for (const type of ['DATE', 'STRING(MAX)', 'JSON']) {
    const { change } = compile(pipelineOf(format, [field('Id', 'id'), field('Day', 'day')]), [
      id,
      column('Day', type),
    ]).map(far);
    assert.ok(change.kind === 'poison' && change.poison === 'unmappable');
    assert.match(change.reason, /2147483647 days after 1970/);
  }
});

test('checkPipeline() names a schema file that cannot be used', () => {
  const format = { kind: 'avro', schema: file('{') } as const;
  const problems = checkPipeline(pipelineOf(format, [field('Id', 'id')], format), new Map([['T', table([id])]]), 'd');
  assert.deepEqual(
    problems.map(({ path }) => path),
    ['pipelines.p.schema', 'pipelines.p.keySchema'],
  );
  assert.match(problems[0]?.message ?? '', /Schema f: .*not JSON/);
  const several = {
    kind: 'protobuf',
    schema: file('syntax = "proto3"; message A { } message B { }'),
    message: undefined,
  } as const;
  assert.throws(() => decoderOf(several, { schemas: noSchemas, part: 'value' }), /messages A, B: say which one/);
  const other = { ...several, message: 'C' };
  assert.throws(() => decoderOf(other, { schemas: noSchemas, part: 'value' }), /no message C/);
});

test('a Protobuf record names its message by its place, and another message than the declared one is poison', () => {
  const schema = 'syntax = "proto3"; package p; message A { message B { int64 id = 1; } } message C { int64 id = 1; }';
  const pipeline = (message: string | undefined) =>
    compile(
      pipelineOf({ kind: 'protobuf', schema: registry, message }, [field('Id', 'id')]),
      [id],
      book({ type: 'PROTOBUF', text: schema }, { type: 'AVRO', text: '"int"' }),
    );
  const body = Buffer.from([8, 7]);
  const nested = recordOf(framed(1, Buffer.from([4, 0, 0]), body));
  const second = recordOf(framed(1, Buffer.from([2, 2]), body));
  for (const record of [nested, second]) assert.deepEqual(written(pipeline(undefined).map(record).change), ['7']);
  assert.deepEqual(written(pipeline('p.A.B').map(nested).change), ['7']);
  for (const [what, record, reason] of [
    ['another message', second, /is a p\.C, and the pipeline reads p\.A\.B/],
    ['a message that is nowhere', recordOf(framed(1, Buffer.from([2, 9]), body)), /message -5 of 2/],
    ['a hundred indexes', recordOf(framed(1, Buffer.from([0xc8, 1]), body)), /by 100 indexes/],
    ['a schema of Avro', recordOf(framed(2, body)), /is AVRO, and the pipeline reads PROTOBUF/],
    ['a schema that is absent', recordOf(framed(1_000, body)), /no schema 1000/],
    ['no frame', recordOf(body), /begins with 0807/],
    ['nothing', recordOf(Buffer.alloc(0)), /is empty/],
  ] as const) {
    const { change } = pipeline('p.A.B').map(record);
    assert.ok(change.kind === 'poison', what);
    assert.match(change.reason, reason, what);
  }
});

const avroRow = JSON.stringify({
  type: 'record',
  name: 'R',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'text', type: ['null', 'string'] },
    { name: 'list', type: { type: 'array', items: 'null' } },
  ],
});
const protoRow = 'syntax = "proto3"; message R { int64 id = 1; optional string text = 2; repeated R list = 3; }';
const jsonRow = Buffer.from('{"id":7,"text":"x","list":[{"a":[1,2.5,"y",null]}]}');

/** A good record of each format, which becomes the row (7, x). */
const formats: readonly (readonly [name: string, format: RecordFormat, good: Buffer])[] = [
  ['JSON', { kind: 'json' }, jsonRow],
  ['JSON Schema', { kind: 'json-schema', schema: file('{"required":["id"]}') }, jsonRow],
  ['Avro', { kind: 'avro', schema: file(avroRow) }, Buffer.from([14, 2, 2, 120, 4, 0])],
  [
    'Protobuf',
    { kind: 'protobuf', schema: file(protoRow), message: 'R' },
    Buffer.from([8, 7, 18, 1, 120, 26, 2, 8, 1]),
  ],
  [
    'Debezium',
    { kind: 'debezium', encoding: 'json', schema: registry, flattened: false },
    Buffer.from(`{"op":"c","after":${jsonRow.toString()}}`),
  ],
];

for (const [name, format, good] of formats) {
  const compiled = compile(pipelineOf(format, [field('Id', 'id'), field('Text', 'text')]), [id, text]);

  test(`10,000 hostile records of ${name} are set aside, each with its reason, and cost no neighbour`, () => {
    const neighbour = recordOf(good);
    const wanted = compiled.map(neighbour).change;
    assert.deepEqual(written(wanted), ['7', 'x']);
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((json) => Buffer.from(json)),
      fc
        .tuple(fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }), fc.nat({ max: 8 }))
        .map(([edits, cut]) => {
          const bytes = Buffer.from(good);
          for (const [at, byte] of edits) bytes[at % bytes.length] = byte;
          return bytes.subarray(0, bytes.length - cut);
        }),
    );
    let poison = 0;
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 10, maxLength: 10 }), (values) => {
        const records = values.flatMap((value) => [recordOf(value), neighbour]);
        for (const [at, { change }] of compiled.mapAll(records).entries()) {
          if (at % 2 === 1) assert.notEqual(change.kind, 'poison');
          else if (change.kind === 'poison') {
            assert.ok(change.reason.length > 10, change.reason);
            assert.ok(change.reason.isWellFormed());
            poison++;
          }
        }
      }),
      { numRuns: 1_000 },
    );
    assert.ok(poison > 2_000, `only ${poison} were set aside`);
  });

  test(`a record of ${name} that is deep, wide or endless costs bounded time`, () => {
    withinCpuSeconds(30, () => {
      const wide = `{"id":1,${Array.from({ length: 100_000 }, (_, at) => `"f${at}":${at}`).join(',')}}`;
      const deep = `${'{"list":['.repeat(50_000)}${']}'.repeat(50_000)}`;
      for (const value of [
        Buffer.from(wide),
        Buffer.from(`{"op":"c","after":${wide}}`),
        Buffer.from(deep),
        Buffer.from('['.repeat(500_000)),
        Buffer.alloc(1_000_000, 0xff),
        Buffer.alloc(1_000_000, 0x80),
        Buffer.alloc(1_000_000, 0x1a),
        Buffer.alloc(1_000_000),
      ]) {
        const { change } = compiled.map(recordOf(value));
        assert.ok(change.kind === 'poison' || change.kind === 'write');
      }
    });
  });
}

test('a CloudEvent is JSON where it is structured, and headers beside its data where it is binary', () => {
  const structured = compile(pipelineOf({ kind: 'json' }, [field('Id', 'data.id'), field('Text', 'type')]), [id, text]);
  const event = { specversion: '1.0', id: 'e1', type: 'order.placed', source: '/shop', data: { id: 7 } };
  const record = recordOf(Buffer.from(JSON.stringify(event)));
  assert.deepEqual(written(structured.map(record).change), ['7', 'order.placed']);
  const binary = pipelineOf({ kind: 'json' }, [
    field('Id', 'id'),
    plainColumn('Text', { kind: 'header', name: 'ce-type' }),
  ]);
  const headers = [{ name: 'ce-type', value: Buffer.from('order.placed') }];
  const { change } = compile(binary, [id, text]).map({ ...recordOf(Buffer.from('{"id":7}')), headers });
  assert.deepEqual(written(change), ['7', 'order.placed']);
});
