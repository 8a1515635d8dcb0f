import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pipeline, RecordFormat, Target } from '../../../../../shared/model/config/declaration.ts';
import { columnsToAdd } from '../../../../../shared/model/events/tables/add-columns.ts';
import { checkPipeline } from '../../../../../shared/model/events/tables/check-pipeline.ts';
import { recordShapes } from '../../../../../shared/model/events/tables/record-shapes.ts';
import { loadFormats } from '../../../../../shared/model/formats/decoder-of.ts';
import { plainColumn, plainPipeline, plainTarget } from '../../config/plain-pipeline.ts';
import { column, field, table } from '../pipeline-fixture.ts';

const file = (text: string) => ({ kind: 'file', file: 'schema', text }) as const;

/** The same record in three languages: id, n, x, text, flag, kind, at, list, place { city }, price. */
const FORMATS: Record<string, RecordFormat> = {
  avro: {
    kind: 'avro',
    schema: file(
      JSON.stringify({
        type: 'record',
        name: 'R',
        fields: [
          { name: 'id', type: 'string' },
          { name: 'n', type: ['null', 'long'] },
          { name: 'x', type: 'double' },
          { name: 'text', type: 'string' },
          { name: 'flag', type: 'boolean' },
          { name: 'kind', type: { type: 'enum', name: 'K', symbols: ['SMALL', 'LARGE'] } },
          { name: 'at', type: { type: 'long', logicalType: 'timestamp-micros' } },
          { name: 'list', type: { type: 'array', items: 'long' } },
          { name: 'place', type: { type: 'record', name: 'P', fields: [{ name: 'city', type: 'string' }] } },
          { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } },
        ],
      }),
    ),
  },
  protobuf: {
    kind: 'protobuf',
    message: 'R',
    schema: file(`syntax = "proto3"; import "google/protobuf/timestamp.proto"; import "google/type/decimal.proto";
      enum Kind { SMALL = 0; LARGE = 1; } message Place { string city = 1; }
      message R { string id = 1; optional int64 n = 2; double x = 3; string text = 4; bool flag = 5; Kind kind = 6;
        google.protobuf.Timestamp at = 7; repeated int64 list = 8; Place place = 9; google.type.Decimal price = 10; }`),
  },
  'json-schema': {
    kind: 'json-schema',
    schema: file(
      JSON.stringify({
        type: 'object',
        additionalProperties: false,
        required: ['id'],
        properties: {
          id: { type: 'string' },
          n: { type: ['integer', 'null'] },
          x: { type: 'number' },
          text: { type: 'string' },
          flag: { type: 'boolean' },
          kind: { type: 'string', maxLength: 5 },
          at: { type: 'string', format: 'date-time' },
          list: { type: 'array', items: { $ref: '#/$defs/whole' } },
          place: { type: 'object', properties: { city: { type: 'string' } }, additionalProperties: false },
          price: { type: 'integer' },
        },
        $defs: { whole: { type: 'integer' } },
      }),
    ),
  },
};

const schema = table([
  column('Id', 'STRING(9)', { notNull: true }),
  column('B', 'BOOL'),
  column('I', 'INT64'),
  column('S', 'STRING(4)'),
  column('T', 'TIMESTAMP'),
  column('L', 'ARRAY<INT64>'),
  column('J', 'JSON'),
  column('N', 'NUMERIC'),
]);

async function problemsOf(format: RecordFormat, more: Partial<Target>): Promise<string[]> {
  const target = plainTarget({ ...more, columns: [field('Id', 'id'), ...(more.columns ?? [])] });
  const pipeline: Pipeline = { ...plainPipeline({}), format, targets: [target] };
  await loadFormats([format]);
  const problems = checkPipeline(pipeline, new Map([['T', schema]]), 'd', await recordShapes(pipeline));
  return problems.map(({ path, message }) => `${path.slice('pipelines.p.'.length)}: ${message}`);
}

for (const [name, format] of Object.entries(FORMATS)) {
  test(`checkPipeline() compares columns with the types of ${name}`, async () => {
    const fitting = [
      field('B', 'flag'),
      field('I', 'n'),
      field('S', 'place.city'),
      field('T', 'at'),
      field('L', 'list'),
      field('J', 'place'),
      field('N', 'price'),
    ];
    assert.deepEqual(await problemsOf(format, { columns: fitting }), []);
    const wrong = [
      field('B', 'text'),
      field('I', 'flag'),
      field('S', 'kind'),
      field('T', 'x'),
      field('L', 'n'),
      field('N', 'nothing'),
    ];
    assert.deepEqual(await problemsOf(format, { columns: wrong }), [
      'columns.B: field text holds STRING, and the column is BOOL',
      'columns.I: field flag holds BOOL, and the column is INT64',
      'columns.S: field kind may have 5 characters, and the column is STRING(4)',
      'columns.T: field x holds FLOAT64, and the column is TIMESTAMP',
      'columns.L: field n is one value, and the column is ARRAY<INT64>',
      "columns.N: the message's schema has no field nothing",
    ]);
    assert.deepEqual(
      await problemsOf(format, { columns: [field('I', 'place'), field('S', 'list'), field('L', 'x')] }),
      [
        'columns.I: field place is an object, and the column is INT64',
        'columns.S: field list is a list, and the column is STRING(4)',
        'columns.L: field x is one value, and the column is ARRAY<INT64>',
      ],
    );
  });

  test(`columnsToAdd() takes the types of ${name}`, async () => {
    const columns = ['n', 'x', 'text', 'flag', 'at', 'list', 'place', 'place.city'].map((path) =>
      field(`New_${path.replace('.', '_')}`, path),
    );
    const more = [
      plainColumn('New_bucket', { kind: 'hash', of: ['Id'], buckets: 9 }),
      plainColumn('New_reversed', { kind: 'field', path: 'n' }, { bitReverse: true }),
      field('New_day', 'text', 'yyyy-MM-dd'),
      field('I', 'n'),
    ];
    const target = plainTarget({ columns: [field('Id', 'id'), ...columns, ...more] });
    const pipeline: Pipeline = { ...plainPipeline({}), format, targets: [target, target], onDrift: 'add-column' };
    const shapes = await recordShapes(pipeline);
    const statements = columnsToAdd(pipeline, new Map([['T', schema]]), shapes);
    assert.deepEqual(
      statements.map((statement) =>
        statement.replace('ALTER TABLE `T` ADD COLUMN IF NOT EXISTS `New_', '').replace('`', ''),
      ),
      [
        'n INT64',
        'x FLOAT64',
        'text STRING(MAX)',
        'flag BOOL',
        'at TIMESTAMP',
        'list ARRAY<INT64>',
        'place JSON',
        'place_city STRING(MAX)',
        'bucket INT64',
        'reversed INT64',
        'day DATE',
      ],
    );
    assert.deepEqual(columnsToAdd({ ...pipeline, onDrift: 'refuse' }, new Map([['T', schema]]), shapes), []);
  });
}

test('checkPipeline() asks a schema for the key that the declaration leaves out', async () => {
  const target = plainTarget({ columns: [] });
  const pipeline: Pipeline = { ...plainPipeline({}), format: FORMATS.avro ?? { kind: 'json' }, targets: [target] };
  const problems = checkPipeline(pipeline, new Map([['T', schema]]), 'd', await recordShapes(pipeline));
  assert.deepEqual(
    problems.map(({ message }) => message),
    ["the message's schema has no field Id"],
  );
});
