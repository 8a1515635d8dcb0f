import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ConfluentSchemaRegistry } from '@platformatic/kafka';
import protobuf from 'protobufjs';
import { openSchemaRegistryServer } from '../../../deploy/local/schema-registry/server.ts';
import type { Declaration, Pipeline, RecordFormat } from '../../../shared/model/config/declaration.ts';
import { plainColumn } from '../../shared/model/config/plain-pipeline.ts';
import { framed } from '../../shared/model/formats/book-fixture.ts';
import { flights, from, type Ingest, openIngest, runSink, untilRows, watchedLog } from './ingest-fixture.ts';

const registry = { kind: 'registry' } as const;

/** Flights whose value, and key where a format is given for it, come in another format. */
function flightsIn(format: RecordFormat, keyFormat?: RecordFormat): Pipeline {
  const columns = [
    keyFormat ? plainColumn('FlightId', { kind: 'keyField', path: 'id' }) : plainColumn('FlightId', { kind: 'key' }),
    from('DepartedAt', 'at'),
    from('DelayMinutes', 'delay'),
    from('Origin', 'origin'),
  ];
  return { ...flights, format, keyFormat, targets: flights.targets.map((target) => ({ ...target, columns })) };
}

function withRegistry(ingest: Ingest, url: string, pipeline: Pipeline): Declaration {
  return { ...ingest.declaration(pipeline), registry: { url, auth: undefined } };
}

async function register(url: string, subject: string, body: object): Promise<number> {
  const answer = await fetch(`${url}/subjects/${subject}/versions`, { method: 'POST', body: JSON.stringify(body) });
  const { id }: { id: number } = JSON.parse(await answer.text());
  return id;
}

/** Writes values as another team's producer does. */
async function serializer(url: string, id: number): Promise<(value: unknown) => Buffer> {
  const client = new ConfluentSchemaRegistry<unknown, unknown, unknown, unknown>({ url });
  await new Promise<void>((resolve, reject) => {
    void client.fetchSchema(id, (error) => (error ? reject(error) : resolve()));
  });
  const { value: serialize } = client.getSerializers();
  assert.ok(serialize);
  const message = { topic: 'flights', metadata: { schemas: { value: id } } };
  return (value) => serialize(value, undefined, message) ?? assert.fail('nothing was written');
}

async function open(t: TestContext, port = 0) {
  const ingest = await openIngest();
  t.after(() => ingest[Symbol.asyncDispose]());
  await ingest.createTopic();
  const requests: string[] = [];
  const server = await openSchemaRegistryServer({ port, onRequest: (request) => requests.push(request) });
  t.after(() => server.close().catch(() => {}));
  return { ingest, server, requests };
}

const row = {
  type: 'record',
  name: 'Flight',
  fields: [
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-micros' } },
    { name: 'delay', type: ['null', 'int'] },
    { name: 'origin', type: 'string' },
  ],
};
const atMicros = 1_700_000_000_123_456;
const SELECT =
  'SELECT FlightId, CAST(DepartedAt AS STRING) AS DepartedAt, DelayMinutes, Origin FROM Flights ORDER BY 1';

test('kafka-sink takes Avro by the registry, asks for each schema once, and sets aside what names none', async (t) => {
  const { ingest, server, requests } = await open(t);
  const value = await serializer(server.url, await register(server.url, 'v', { schema: JSON.stringify(row) }));
  const key = { type: 'record', name: 'Key', fields: [{ name: 'id', type: 'string' }] };
  const keyBytes = await serializer(server.url, await register(server.url, 'k', { schema: JSON.stringify(key) }));
  requests.length = 0;
  for (let at = 0; at < 50; at++) {
    const bytes = value({ at: atMicros, delay: at % 2 === 0 ? at : null, origin: 'ORD' });
    await ingest.producer.send({ topic: 'flights', messages: [{ key: keyBytes({ id: `F${at}` }), value: bytes }] });
  }
  await ingest.producer.send({
    topic: 'flights',
    messages: [
      { key: keyBytes({ id: 'X' }), value: framed(99, Buffer.from([2])) },
      { key: keyBytes({ id: 'Y' }), value: Buffer.from('{}') },
      { key: keyBytes({ id: 'Z' }), value: framed(1, Buffer.from([2])) },
    ],
  });
  const format = { kind: 'avro', schema: registry } as const;
  await runSink(withRegistry(ingest, server.url, flightsIn(format, format)));
  const rows = await ingest.query(SELECT);
  assert.equal(rows.length, 50);
  assert.deepEqual(rows[0], {
    FlightId: 'F0',
    DepartedAt: '2023-11-14 14:13:20.123456-08',
    DelayMinutes: 0,
    Origin: 'ORD',
  });
  assert.equal(rows[1]?.DelayMinutes, null);
  const dead = await ingest.query('SELECT Class, Reason FROM PenstockDeadLetters ORDER BY Reason');
  assert.deepEqual(
    dead.map(({ Class }) => Class),
    ['undecodable', 'undecodable', 'undecodable'],
  );
  assert.match(String(dead[0]?.Reason), /registry has no schema 99/);
  const byId = requests.filter((request) => request.includes('/ids/'));
  assert.deepEqual(byId.toSorted(), ['GET /schemas/ids/1', 'GET /schemas/ids/2', 'GET /schemas/ids/99']);
});

test('kafka-sink waits for a registry that is down, writes nothing meanwhile, and goes on when it is back', async (t) => {
  const { ingest, server } = await open(t);
  const id = await register(server.url, 'v', { schema: JSON.stringify(row) });
  const value = await serializer(server.url, id);
  await ingest.producer.send({
    topic: 'flights',
    messages: [{ key: 'F1', value: value({ at: atMicros, delay: 1, origin: 'ORD' }) }],
  });
  await server.close();
  const { log, seen } = watchedLog('Cannot ask the schema registry');
  const ending = new AbortController();
  const declaration = withRegistry(ingest, server.url, flightsIn({ kind: 'avro', schema: registry }));
  const running = runSink(declaration, { signal: ending.signal, log });
  await seen;
  assert.deepEqual(await ingest.query('SELECT Class FROM PenstockDeadLetters'), []);
  const again = await openSchemaRegistryServer({ port: Number(new URL(server.url).port) });
  t.after(() => again.close());
  assert.equal(await register(again.url, 'v', { schema: JSON.stringify(row) }), id);
  await untilRows(ingest, 1);
  ending.abort();
  await running;
  assert.deepEqual(await ingest.query('SELECT Class FROM PenstockDeadLetters'), []);
});

test('kafka-sink takes Protobuf with references and nested messages, and JSON that follows its schema', async (t) => {
  const { ingest, server } = await open(t);
  const text = `syntax = "proto3"; package air; import "google/protobuf/timestamp.proto"; import "place.proto";
    message Other { }
    message Outer { message Flight { google.protobuf.Timestamp at = 1; optional int64 delay = 2; Place place = 3; } }`;
  const place = 'syntax = "proto3"; package air; message Place { string origin = 1; }';
  await register(server.url, 'place', { schemaType: 'PROTOBUF', schema: place });
  const references = [{ name: 'place.proto', subject: 'place', version: 1 }];
  const id = await register(server.url, 'v', { schemaType: 'PROTOBUF', schema: text, references });
  const root = new protobuf.Root();
  protobuf.parse(place, root, { keepCase: true });
  protobuf.parse(text, root, { keepCase: true });
  root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto')?.nested ?? {});
  const Flight = root.lookupType('air.Outer.Flight');
  const body = Flight.encode(
    Flight.fromObject({
      at: { seconds: 1_700_000_000, nanos: 1 },
      delay: '9007199254740993',
      place: { origin: 'ORD' },
    }),
  ).finish();
  // Two indexes: message 1 of the file, message 0 in it.
  const value = framed(id, Buffer.from([4, 2, 0]), body);
  await ingest.producer.send({ topic: 'flights', messages: [{ key: 'F1', value }] });
  const pipeline = flightsIn({ kind: 'protobuf', schema: registry, message: 'air.Outer.Flight' });
  const columns = pipeline.targets[0]?.columns.map((one) =>
    one.column === 'Origin' ? from('Origin', 'place.origin') : one,
  );
  assert.ok(columns);
  const nested = { ...pipeline, targets: pipeline.targets.map((target) => ({ ...target, columns })) };
  await runSink(withRegistry(ingest, server.url, nested));
  const [flight] = await ingest.query('SELECT CAST(DelayMinutes AS STRING) AS Delay, Origin FROM Flights');
  assert.deepEqual(flight, { Delay: '9007199254740993', Origin: 'ORD' });

  const schema = {
    type: 'object',
    properties: { at: { type: 'string' }, delay: { type: 'integer', maximum: 100 } },
    required: ['at'],
  };
  const json = await serializer(
    server.url,
    await register(server.url, 'j', { schemaType: 'JSON', schema: JSON.stringify(schema) }),
  );
  const good = { at: '2024-01-01T00:00:00Z', delay: 5, origin: 'JFK' };
  await ingest.producer.send({
    topic: 'flights',
    messages: [
      { key: 'J1', value: json(good) },
      { key: 'J2', value: json({ ...good, delay: 101 }) },
    ],
  });
  await runSink(withRegistry(ingest, server.url, flightsIn({ kind: 'json-schema', schema: registry })));
  assert.deepEqual(await ingest.query("SELECT FlightId FROM Flights WHERE Origin = 'JFK'"), [{ FlightId: 'J1' }]);
  const [dead] = await ingest.query('SELECT Class, Reason FROM PenstockDeadLetters');
  assert.equal(dead?.Class, 'unmappable');
  assert.match(String(dead?.Reason), /\/delay must be <= 100/);
});
