import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import avsc from 'avsc';
import protobuf from 'protobufjs';
import type { Pipeline } from '../shared/model/config/declaration.ts';
import { readDeclaration } from '../shared/model/config/read-declaration.ts';
import { compilePipeline } from '../shared/model/events/compile-pipeline.ts';
import type { RawRecord } from '../shared/model/events/records/raw-record.ts';
import { checkPipeline } from '../shared/model/events/tables/check-pipeline.ts';
import type { TableSchema } from '../shared/model/events/tables/table-schema.ts';
import { loadFormats } from '../shared/model/formats/decoder-of.ts';
import type { RegisteredSchema } from '../shared/model/formats/schema-book.ts';
import { column, table } from './shared/model/events/pipeline-fixture.ts';
import { book, framed, recordOf } from './shared/model/formats/book-fixture.ts';
import {
  avroTypes,
  debeziumTypes,
  jsonTypes,
  mappingTable,
  protobufTypes,
} from './shared/model/formats/mapping-table.ts';

const folder = resolve(import.meta.dirname, '../docs/formats');
const page = (name: string): string => readFileSync(join(folder, `${name}.md`), 'utf8');
const example = (name: string): string => readFileSync(join(folder, 'examples', name), 'utf8');

function block(name: string, language: string): string {
  const found = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'm').exec(page(name))?.[1];
  return found ?? assert.fail(`${name}.md has no block of ${language}`);
}

function pipelineOf(name: string): Pipeline {
  const { declaration } = readDeclaration({
    file: `${name}.md`,
    text: block(name, 'yaml'),
    env: { KAFKA_BROKERS: 'b:1' },
    sections: ['kafka', 'pipelines'],
  });
  return Object.values(declaration.pipelines)[0] ?? assert.fail(`${name}.md declares no pipeline`);
}

/** The table of a page, as Spanner would describe it. */
function tableOf(name: string): TableSchema {
  const sql = block(name, 'sql');
  const columns = [...sql.matchAll(/^ {2}(\w+) (\S+?)( NOT NULL)?,$/gm)].map(([, title = '', type = '', notNull]) =>
    column(title, type, { notNull: notNull !== undefined }),
  );
  const key = /PRIMARY KEY \((\w+)\)/.exec(sql)?.[1] ?? '';
  const title = /CREATE TABLE (\w+)/.exec(sql)?.[1] ?? '';
  return { ...table(columns, [key]), name: title };
}

/** A record's JSON, as its format's producer writes it. */
const records: Readonly<Record<string, (text: string) => RawRecord>> = {
  json: (text) => recordOf(Buffer.from(text)),
  'json-schema': (text) => recordOf(framed(1, Buffer.from(text))),
  debezium: (text) => recordOf(Buffer.from(text), Buffer.from(block('debezium', 'json key'))),
  avro: (text) => {
    const { id, customer, total, placedAt, tags } = JSON.parse(text);
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
      compare: () => 0,
    });
    // The other library looks for its longs by their bare name.
    const schema = JSON.parse(example('order.avsc').replaceAll(/\{ "type": "(\w+)", "logicalType"[^}]*\}/g, '"$1"'));
    const value = { id: BigInt(id), customer, total: Buffer.from(total, 'hex'), placedAt: BigInt(placedAt), tags };
    return recordOf(framed(1, avsc.Type.forSchema(schema, { registry: { long: longs } }).toBuffer(value)));
  },
  protobuf: (text) => {
    const root = new protobuf.Root();
    protobuf.parse(example('order.proto'), root, { keepCase: true });
    root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto')?.nested ?? {});
    const type = root.lookupType('shop.v1.Order');
    const bytes = type.encode(type.fromObject(JSON.parse(text))).finish();
    return recordOf(framed(1, Buffer.from([0]), bytes));
  },
};

const schemas: Readonly<Record<string, Partial<RegisteredSchema>>> = {
  avro: { type: 'AVRO', text: example('order.avsc') },
  protobuf: { type: 'PROTOBUF', text: example('order.proto') },
  'json-schema': { type: 'JSON', text: example('order.schema.json') },
};

for (const [name, recordFrom] of Object.entries(records)) {
  test(`the example of docs/formats/${name}.md makes the row that the page shows`, async () => {
    const pipeline = pipelineOf(name);
    await loadFormats([pipeline.format, pipeline.keyFormat]);
    const schema = tableOf(name);
    const tables = new Map([[schema.name, schema]]);
    assert.deepEqual(checkPipeline(pipeline, tables, 'shop'), []);
    const known = schemas[name];
    const compiled = compilePipeline(pipeline, tables, book(...(known ? [known] : [])));
    const { change, target } = compiled.map(recordFrom(block(name, 'json record')));
    assert.ok(change.kind === 'write', JSON.stringify(change));
    const row = Object.fromEntries((target?.columns ?? []).map((one, at) => [one.name, change.row[at]]));
    assert.deepEqual(row, JSON.parse(block(name, 'json row')));
  });
}

test('the example of docs/formats/bytes.md fits its table', () => {
  const schema = tableOf('bytes');
  assert.deepEqual(checkPipeline(pipelineOf('bytes'), new Map([[schema.name, schema]]), 'shop'), []);
});

for (const [name, types] of [
  ['json', jsonTypes],
  ['avro', avroTypes],
  ['protobuf', protobufTypes],
  ['debezium', debeziumTypes],
] as const) {
  test(`docs/formats/${name}.md shows how its types fit columns`, () => {
    assert.ok(page(name).includes(mappingTable(types)), `its table must be\n${mappingTable(types)}`);
  });
}
