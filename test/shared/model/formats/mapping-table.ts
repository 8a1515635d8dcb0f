import avsc from 'avsc';
import protobuf from 'protobufjs';
import { PoisonError } from '../../../../shared/model/events/records/poison.ts';
import { columnReader } from '../../../../shared/model/events/values/convert.ts';
import { type JsonValue, parseExactJsonText } from '../../../../shared/model/events/values/exact-json.ts';
import { parseAvroSchema } from '../../../../shared/model/formats/avro/parse-avro-schema.ts';
import { readAvro } from '../../../../shared/model/formats/avro/read-avro.ts';
import { connectPayload } from '../../../../shared/model/formats/debezium/connect-json.ts';
import { parseProto } from '../../../../shared/model/formats/protobuf/parse-proto.ts';
import { readProtobuf } from '../../../../shared/model/formats/protobuf/read-protobuf.ts';
import { column } from '../events/pipeline-fixture.ts';

/** A format's type, and documents that records of this type become. */
export interface SourceType {
  readonly name: string;
  readonly samples: readonly JsonValue[];
}

const TYPES = [
  'BOOL',
  'INT64',
  'FLOAT32',
  'FLOAT64',
  'NUMERIC',
  'STRING',
  'BYTES',
  'JSON',
  'DATE',
  'TIMESTAMP',
  'UUID',
];
const UUID = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';
const TEXTS = ['x', '7', '1.5', 'NaN', 'AAE=', '2024-01-01', '2024-01-01T00:00:00Z', UUID];

/** How types of a format fit columns, as a table of Markdown; `(✓)` where it depends on the value. */
export function mappingTable(sources: readonly SourceType[]): string {
  const rows = sources.map(({ name, samples }) => {
    const marks = TYPES.map((type) => markOf(type, samples));
    return `| ${name} | ${marks.join(' | ')} |`;
  });
  return [`| | ${TYPES.join(' | ')} |`, `|---|${TYPES.map(() => '---').join('|')}|`, ...rows].join('\n');
}

function markOf(type: string, samples: readonly JsonValue[]): string {
  const taken = samples.filter((sample) => isTaken(type, sample)).length;
  return taken === 0 ? '–' : taken === samples.length ? '✓' : '(✓)';
}

function isTaken(type: string, sample: JsonValue): boolean {
  try {
    columnReader(column('C', type === 'STRING' || type === 'BYTES' ? `${type}(MAX)` : type), {
      format: undefined,
      zone: undefined,
    }).fromJson(sample);
    return true;
  } catch (error) {
    if (error instanceof PoisonError) return false;
    throw error;
  }
}

const json = (name: string, ...texts: readonly string[]): SourceType => ({
  name,
  samples: texts.map((text) => parseExactJsonText(text)),
});

export const jsonTypes: readonly SourceType[] = [
  json('`true`, `false`', 'true', 'false'),
  json('whole number', '7', '-9223372036854775808', '9007199254740993', '1e3'),
  json('other number', '1.5', '0.1'),
  json('string', ...TEXTS.map((text) => JSON.stringify(text))),
  json('object', '{"a":1}'),
  json('array', '[1]'),
];

function avro(name: string, schema: unknown, ...values: readonly unknown[]): SourceType {
  const text = JSON.stringify(schema);
  const bare = JSON.parse(text.replaceAll('"logicalType"', '"meaning"'));
  const type = parseAvroSchema({ text, references: [], connect: false });
  return { name, samples: values.map((value) => readAvro(type, avsc.Type.forSchema(bare).toBuffer(value))) };
}

const logical = (type: string, logicalType: string, more: object = {}): object => ({ type, logicalType, ...more });
const fixed = (size: number, more: object = {}): object => ({ type: 'fixed', name: 'F', size, ...more });

export const avroTypes: readonly SourceType[] = [
  avro('boolean', 'boolean', true),
  avro('int, long', 'long', 7, -(2 ** 52)),
  avro('float', 'float', 1.5, 0.1),
  avro('double', 'double', 0.5, 0.1),
  avro('string', 'string', ...TEXTS),
  avro('bytes, fixed', 'bytes', Buffer.from([1])),
  avro('enum', { type: 'enum', name: 'E', symbols: ['A'] }, 'A'),
  avro('record, map', { type: 'map', values: 'int' }, { a: 1 }),
  avro('array', { type: 'array', items: 'int' }, [1]),
  avro('decimal', logical('bytes', 'decimal', { precision: 9, scale: 2 }), Buffer.from([5]), Buffer.from([100])),
  avro('uuid', fixed(16, { logicalType: 'uuid' }), Buffer.alloc(16)),
  avro('date', logical('int', 'date'), 1),
  avro('time-*', logical('int', 'time-millis'), 1),
  avro('timestamp-*', logical('long', 'timestamp-micros'), 1),
  avro('local-timestamp-*', logical('long', 'local-timestamp-micros'), 1),
  avro('duration', fixed(12, { logicalType: 'duration' }), Buffer.alloc(12)),
];

const PROTO = `syntax = "proto3";
import "google/protobuf/timestamp.proto"; import "google/protobuf/duration.proto"; import "google/protobuf/struct.proto";
import "google/protobuf/wrappers.proto"; import "google/type/date.proto"; import "google/type/decimal.proto";
enum E { A = 0; }
message M { bool b = 1; int64 i = 2; uint64 u = 3; float f = 4; double d = 5; string s = 6; bytes by = 7; E e = 8;
  M m = 9; repeated int32 r = 10; google.protobuf.Timestamp t = 11; google.protobuf.Duration du = 12;
  google.protobuf.Struct st = 13; google.protobuf.Int64Value w = 14; google.type.Date da = 15; google.type.Decimal de = 16; }`;

const protoRoot = new protobuf.Root();
protobuf.parse(PROTO, protoRoot);
for (const name of ['timestamp', 'duration', 'struct', 'wrappers']) {
  protoRoot.addJSON(protobuf.common.get(`google/protobuf/${name}.proto`)?.nested ?? {});
}
protobuf.parse(
  `syntax = "proto3"; package google.type; message Date { int32 year = 1; int32 month = 2; int32 day = 3; }
   message Decimal { string value = 1; }`,
  protoRoot,
);
const protoType = protoRoot.lookupType('M');
const protoPlan = parseProto(PROTO, []).byName('M');

function proto(name: string, field: string, ...values: readonly unknown[]): SourceType {
  const samples = values.map((value) => {
    const bytes = protoType.encode(protoType.fromObject({ [field]: value })).finish();
    const document = protoPlan && readProtobuf(protoPlan, Buffer.from(bytes));
    const found = Object.entries(document ?? {}).find(([key]) => key === field);
    if (!found) throw new Error(`${field} was not read`);
    return found[1];
  });
  return { name, samples };
}

export const protobufTypes: readonly SourceType[] = [
  proto('bool', 'b', true, false),
  proto('int32, int64, sint*, fixed*, uint32', 'i', 7, '9223372036854775807'),
  proto('uint64', 'u', 7, '18446744073709551615'),
  proto('float', 'f', 1.5, 0.1),
  proto('double', 'd', 0.5, 0.1),
  proto('string', 's', ...TEXTS),
  proto('bytes', 'by', Buffer.from([1])),
  proto('enum', 'e', 'A'),
  proto('message, map', 'm', {}),
  proto('repeated', 'r', [1]),
  proto('google.protobuf.Timestamp', 't', { seconds: 1 }),
  proto('google.protobuf.Duration', 'du', { seconds: 1 }),
  proto('google.protobuf.Struct', 'st', { fields: {} }),
  proto('google.protobuf.Int64Value and its kin', 'w', { value: 7 }),
  proto('google.type.Date', 'da', { year: 2024, month: 1, day: 1 }),
  proto('google.type.Decimal, confluent.type.Decimal', 'de', { value: '12.50' }, { value: '3' }),
];

function connect(name: string, schema: object, ...values: readonly unknown[]): SourceType {
  return {
    name,
    samples: values.map((value) => connectPayload(parseExactJsonText(JSON.stringify({ schema, payload: value })))),
  };
}

const named = (type: string, name: string, more: object = {}): object => ({ type, name, ...more });

export const debeziumTypes: readonly SourceType[] = [
  connect('`io.debezium.time.Date`, Connect’s `Date`', named('int32', 'io.debezium.time.Date'), 1),
  connect('`Time`, `MicroTime`, `NanoTime`, Connect’s `Time`', named('int64', 'io.debezium.time.MicroTime'), 1),
  connect(
    '`Timestamp`, `MicroTimestamp`, `NanoTimestamp`, Connect’s `Timestamp`',
    named('int64', 'io.debezium.time.MicroTimestamp'),
    1,
  ),
  connect('`ZonedTimestamp`', named('string', 'io.debezium.time.ZonedTimestamp'), '2024-01-01T01:00:00.5+01:00'),
  connect(
    'Connect’s `Decimal`, `VariableScaleDecimal`',
    named('bytes', 'org.apache.kafka.connect.data.Decimal', { parameters: { scale: '2' } }),
    'BNI=',
    'ZA==',
  ),
  connect('`Uuid`', named('string', 'io.debezium.data.Uuid'), UUID),
  connect('`Json`', named('string', 'io.debezium.data.Json'), '{"a":1}'),
  connect('bytes', { type: 'bytes' }, 'AAE='),
];
