import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Spanner } from '@google-cloud/spanner';
import { controlSchema, createOnEmulator, migrate } from '../../../../../deploy/gcp/migrate.ts';
import { openSpannerServer } from '../../../../../deploy/local/spanner/server.ts';
import { openSpannerChannel, type SpannerChannel } from '../../../../../shared/adapters/spanner/channel.ts';
import {
  listDeadLetters,
  readDeadLetter,
  redriveDeadLetter,
} from '../../../../../shared/adapters/spanner/ingest/dead-letter-store.ts';
import { type OpenDatabase, openDatabase } from '../../../../../shared/adapters/spanner/open-database.ts';
import { readTableSchema } from '../../../../../shared/adapters/spanner/read-table-schema.ts';
import { runTransaction } from '../../../../../shared/adapters/spanner/run-transaction.ts';
import { readDeclaration } from '../../../../../shared/model/config/read-declaration.ts';
import { type CompiledPipeline, compilePipeline } from '../../../../../shared/model/events/compile-pipeline.ts';
import { type DeadLetter, deadLetterMutation } from '../../../../../shared/model/events/dead-letter.ts';

const PATH = 'projects/p/instances/main/databases/letters';
const DECLARATION = `
spanner: { database: ${PATH} }
kafka: { brokers: "b:1" }
pipelines:
  orders:
    source: { kafka: { topic: orders } }
    format: json
    table: Orders
    mode: upsert
    guard: Version
    columns: { OrderId: { key: true }, Version: { field: version }, Note: { field: note } }
`;

let spanner: Awaited<ReturnType<typeof openSpannerServer>>;
let open: OpenDatabase;
let channel: SpannerChannel;
let compiled: CompiledPipeline;

before(async () => {
  spanner = await openSpannerServer({});
  process.env.SPANNER_EMULATOR_HOST = spanner.address;
  process.env.METADATA_SERVER_DETECTION = 'none';
  const admin = new Spanner({ projectId: 'p' });
  await createOnEmulator(admin, PATH);
  admin.close();
  open = openDatabase(PATH);
  channel = openSpannerChannel(PATH, process.env);
  await migrate(open.database, controlSchema);
  const table =
    'CREATE TABLE Orders (OrderId STRING(36), Version INT64 NOT NULL, Note STRING(MAX)) PRIMARY KEY (OrderId)';
  const [operation] = await open.database.updateSchema(table);
  await operation.promise();
  const { declaration } = readDeclaration({ file: 'f', text: DECLARATION, env: {}, sections: [] });
  const schema = await readTableSchema(channel, 'Orders');
  assert.ok(declaration.pipelines.orders && schema);
  compiled = compilePipeline(declaration.pipelines.orders, new Map([['Orders', schema]]));
});

after(async () => {
  channel.close();
  await open.close();
  await spanner.close();
});

async function setAside(id: string, key: string, value: Buffer, reason = 'it was broken'): Promise<void> {
  const headers = [
    { name: 'trace', value: Buffer.from('abc') },
    { name: 'raw', value: Buffer.from([0xff, 0x00]) },
  ];
  const record = {
    key: Buffer.from(key),
    value,
    headers,
    timestampMs: 1_000,
    topic: 'orders',
    partition: 2,
    offset: 7n,
  };
  const letter: DeadLetter = {
    pipeline: 'orders',
    pipelineVersion: 'a'.repeat(16),
    id,
    source: 'kafka',
    eventId: undefined,
    record,
    poison: 'unmappable',
    reason,
  };
  await runTransaction(channel, {
    attempted: 'set aside',
    table: 'PenstockDeadLetters',
    commit: undefined,
    run: async () => ({ mutations: [deadLetterMutation([letter])], result: undefined }),
  });
}

async function redrive(id: string) {
  const letter = await readDeadLetter(channel, 'orders', id);
  assert.ok(letter);
  return redriveDeadLetter(channel, compiled, letter);
}

async function noteOf(order: string): Promise<unknown> {
  const [rows] = await open.database.run({
    sql: 'SELECT Note FROM Orders WHERE OrderId = @order',
    params: { order },
    json: true,
  });
  const row: Record<string, unknown> = { ...rows[0] };
  return row.Note;
}

test('readDeadLetter() gives key, value and headers back byte for byte, over several parts too', async () => {
  const value = Buffer.alloc(12 * 1024 * 1024, 'x');
  value[value.length - 1] = 0xff;
  await setAside('large', 'k', value);
  const letter = await readDeadLetter(channel, 'orders', 'large');
  assert.ok(letter);
  assert.ok(letter.record.value?.equals(value));
  assert.equal(letter.record.key?.toString(), 'k');
  assert.deepEqual(letter.record.headers[1], { name: 'raw', value: Buffer.from([0xff, 0x00]) });
  assert.equal(letter.record.timestampMs, 1_000);
  assert.equal(letter.record.offset, 7n);
});

test('listDeadLetters() names a letter once, however many parts it has, newest first', async () => {
  await setAside('newer', 'k', Buffer.from('{}'));
  const letters = await listDeadLetters(channel, { pipeline: 'orders', limit: 10 });
  assert.deepEqual(
    letters.map(({ id }) => id),
    ['newer', 'large'],
  );
  assert.match(letters[0]?.recordedAt ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  assert.deepEqual(await listDeadLetters(channel, { pipeline: 'other', limit: 10 }), []);
});

test('redriveDeadLetter() writes the row once', async () => {
  await setAside('good', 'order-1', Buffer.from('{"version": 1, "note": "first"}'));
  assert.deepEqual(await redrive('good'), { outcome: 'redriven' });
  assert.equal(await noteOf('order-1'), 'first');
  assert.deepEqual(await redrive('good'), { outcome: 'already-redriven' });
  assert.notEqual((await readDeadLetter(channel, 'orders', 'good'))?.redrivenAt, undefined);
});

test('redriveDeadLetter() leaves a newer row as it is', async () => {
  await setAside('new', 'order-2', Buffer.from('{"version": 5, "note": "new"}'));
  await redrive('new');
  await setAside('old', 'order-2', Buffer.from('{"version": 4, "note": "old"}'));
  assert.deepEqual(await redrive('old'), { outcome: 'skipped' });
  assert.equal(await noteOf('order-2'), 'new');
});

test('redriveDeadLetter() keeps what is still poison', async () => {
  await setAside('bad', 'order-3', Buffer.from('{"version": "no number"}'));
  const outcome = await redrive('bad');
  assert.equal(outcome.outcome, 'poison');
  assert.equal((await readDeadLetter(channel, 'orders', 'bad'))?.redrivenAt, undefined);
  assert.equal(await noteOf('order-3'), undefined);
});

test('readDeadLetter() knows no letter of another pipeline', async () => {
  assert.equal(await readDeadLetter(channel, 'other', 'good'), undefined);
});
