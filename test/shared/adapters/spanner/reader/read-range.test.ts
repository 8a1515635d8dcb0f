import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { protos, Spanner } from '@google-cloud/spanner';
import { Server, ServerCredentials, type ServerWritableStream, status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { openSpannerServer, type SpannerServer } from '../../../../../deploy/local/spanner/server.ts';
import { openSpannerChannel, type SpannerChannel } from '../../../../../shared/adapters/spanner/channel.ts';
import { resultDecoder } from '../../../../../shared/adapters/spanner/reader/decoder.ts';
import type { RangeRead } from '../../../../../shared/adapters/spanner/reader/range-read.ts';
import { readRange } from '../../../../../shared/adapters/spanner/reader/read-range.ts';
import { DecodeError, ReadRefusedError } from '../../../../../shared/adapters/spanner/reader/reader-error.ts';
import { formatTimestamp } from '../../../../../shared/model/epochs/key-at.ts';
import { type ColumnBlock, type ColumnVector, textAt } from '../../../../../shared/model/tensors/column-vector.ts';
import { openTestDatabase, type TestDatabase } from '../test-database.ts';

const columns = ['Id', 'B', 'I', 'F', 'N', 'S', 'Y', 'D', 'T', 'Ss', 'Ii', 'Fs'];
const schema = `CREATE TABLE V (Id INT64 NOT NULL, B BOOL, I INT64, F FLOAT64, N NUMERIC, S STRING(MAX), Y BYTES(MAX), D DATE,
  T TIMESTAMP, Ss ARRAY<STRING(MAX)>, Ii ARRAY<INT64>, Fs ARRAY<FLOAT64>) PRIMARY KEY (Id)`;

let server: SpannerServer;
let opened: TestDatabase;
let channel: SpannerChannel;

before(async () => {
  server = await openSpannerServer();
  opened = await openTestDatabase(server.address, [
    schema,
    'CREATE TABLE K (A STRING(MAX), B INT64) PRIMARY KEY (A, B DESC)',
  ]);
  channel = openSpannerChannel(opened.name, opened.env);
});

after(async () => {
  channel.close();
  await opened.close();
  await server.close();
});

/** A vector's value in the form in which the test wrote it. */
function valueAt(vector: ColumnVector, row: number): unknown {
  if (vector.nulls[row] === 1) return null;
  switch (vector.kind) {
    case 'int64':
      return String(vector.values[row]);
    case 'float64':
      return String(vector.values[row]);
    case 'bool':
      return vector.values[row] === 1;
    case 'timestamp':
      return formatTimestamp(vector.seconds[row] ?? 0, vector.nanos[row] ?? 0);
    case 'text':
      return textAt(vector, row);
    case 'list': {
      const [from, to] = [vector.offsets[row] ?? 0, vector.offsets[row + 1] ?? 0];
      return Array.from({ length: to - from }, (_, index) => valueAt(vector.items, from + index));
    }
  }
}

function rowsOf(blocks: readonly ColumnBlock[]): unknown[][] {
  return blocks.flatMap(({ rowCount, columns: vectors }) =>
    Array.from({ length: rowCount }, (_, row) => vectors.map((vector) => valueAt(vector, row))),
  );
}

const int64 = fc
  .oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -1000n, max: 1000n }))
  .map(String);
const float = fc
  .double()
  .map((value) => (Object.is(value, -0) ? 0 : value))
  .map(String);
const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { freq: 6 });
const timestamp = fc
  .record({
    ms: fc.integer({ min: Date.UTC(1, 0, 1) - 6e13, max: Date.UTC(9999, 11, 31) }),
    nanos: fc.nat(999_999_999),
  })
  .filter(({ ms }) => new Date(ms).getUTCFullYear() >= 1)
  .map(({ ms, nanos }) => formatTimestamp(Math.floor(ms / 1000), nanos));
const record = fc.record({
  B: optional(fc.boolean()),
  I: optional(int64),
  F: optional(float),
  N: optional(fc.constantFrom('0', '-1.5', '99999999999999999999999999999.999999999')),
  S: optional(text),
  Y: optional(fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes).toString('base64'))),
  D: optional(fc.constantFrom('0001-01-01', '2026-11-21', '9999-12-31')),
  T: optional(timestamp),
  Ss: optional(fc.array(optional(text), { maxLength: 4 })),
  Ii: optional(fc.array(optional(int64), { maxLength: 4 })),
  Fs: optional(fc.array(optional(float), { maxLength: 4 })),
});
type Written = typeof record extends fc.Arbitrary<infer T> ? T : never;

/** Writes rows through the official client and gives the timestamp of the commit. */
async function write(rows: readonly Written[]): Promise<string> {
  const asFloat = (value: string | null) => (value === null ? null : Number(value));
  const [commit] = await opened.database.table('V').replace(
    rows.map((row, index) => ({
      Id: index,
      ...row,
      F: row.F === null ? null : Spanner.float(asFloat(row.F) ?? 0),
      Fs: row.Fs === null ? null : row.Fs.map((value) => (value === null ? null : Spanner.float(Number(value)))),
    })),
  );
  return stampOf(commit);
}

function stampOf(commit: protos.google.spanner.v1.ICommitResponse): string {
  return formatTimestamp(Number(commit.commitTimestamp?.seconds), Number(commit.commitTimestamp?.nanos));
}

async function readAll(
  read: Partial<RangeRead> & Pick<RangeRead, 'table' | 'columns' | 'readTimestamp'>,
): Promise<ColumnBlock[]> {
  const range = { from: undefined, to: undefined };
  return await Array.fromAsync(readRange(channel, { keyLength: 1, range, blockRows: 7, ...read }));
}

test('readRange() gives every value of every type as it was written', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (rows) => {
      const readTimestamp = await write(rows);
      const to = [String(rows.length)];
      const blocks = await readAll({ table: 'V', columns, readTimestamp, range: { from: ['0'], to } });
      const wanted = rows.map((row, index) => [
        String(index),
        ...columns.slice(1).map((name) => row[name as keyof Written]),
      ]);
      assert.deepEqual(rowsOf(blocks), wanted);
      for (const block of blocks.slice(0, -1)) assert.equal(block.rowCount, 7);
    }),
    { numRuns: 25 },
  );
});

test('readRange() joins values that come in pieces: a text of 3 MiB and lists of texts and numbers', async () => {
  const S = 'é漢\u{1F600}x'.repeat(300_000);
  const Ss = Array.from({ length: 40 }, (_, index) =>
    index % 5 === 0 ? null : index % 3 === 0 ? '' : 'y'.repeat(index * 3000),
  );
  const Ii = Array.from({ length: 200_000 }, (_, index) => String(index * 7919));
  const Fs = Array.from({ length: 100_000 }, (_, index) => (index % 7 === 0 ? 'NaN' : String(index / 3)));
  const empty = { B: null, I: null, F: null, N: null, Y: null, D: null, T: null };
  const readTimestamp = await write([
    { ...empty, S, Ss, Ii, Fs },
    { ...empty, S: 'z', Ss: [], Ii: null, Fs: [] },
  ]);
  const [first, second] = rowsOf(
    await readAll({ table: 'V', columns, readTimestamp, range: { from: ['0'], to: ['2'] } }),
  );
  assert.equal(first?.[5], S);
  assert.deepEqual(first?.[9], Ss);
  assert.deepEqual(first?.[10], Ii);
  assert.deepEqual(first?.[11], Fs);
  assert.deepEqual(second?.slice(5), ['z', null, null, null, [], null, []]);
});

test('readRange() reads disjoint ranges of a composite key with DESC and NULL in key order, and goes on behind a key', async () => {
  const keys = ['a', 'b', null].flatMap((A) => [1, 2, 3, null].map((B) => ({ A, B })));
  const [commit] = await opened.database.table('K').upsert(keys);
  const read = { table: 'K', columns: ['A', 'B'], keyLength: 2, readTimestamp: stampOf(commit) };
  const all = rowsOf(await readAll(read));
  assert.deepEqual(all.slice(0, 5), [
    [null, '3'],
    [null, '2'],
    [null, '1'],
    [null, null],
    ['a', '3'],
  ]);
  for (const [index, key] of all.entries()) {
    const cut = key as (string | null)[];
    assert.deepEqual(rowsOf(await readAll({ ...read, range: { from: undefined, to: cut } })), all.slice(0, index));
    assert.deepEqual(rowsOf(await readAll({ ...read, range: { from: cut, to: undefined } })), all.slice(index));
    assert.deepEqual(rowsOf(await readAll({ ...read, afterKey: cut })), all.slice(index + 1));
  }
});

test('readRange() refuses a table that is missing and stops when it is told to', async () => {
  const readTimestamp = new Date().toISOString();
  await assert.rejects(readAll({ table: 'Missing', columns: ['Id'], readTimestamp }), ReadRefusedError);
  const signal = AbortSignal.abort();
  await assert.rejects(readAll({ table: 'V', columns, readTimestamp, signal }), { name: 'AbortError' });
});

const { PartialResultSet, ReadRequest, Session } = protos.google.spanner.v1;

function message(values: protos.google.protobuf.IValue[], withMetadata: boolean): Buffer {
  const fields = [
    { name: 'Id', type: { code: 2 } },
    { name: 'S', type: { code: 6 } },
  ];
  return Buffer.from(
    PartialResultSet.encode({ values, ...(withMetadata ? { metadata: { rowType: { fields } } } : {}) }).finish(),
  );
}

test('resultDecoder() turns damaged bytes into an error or into rows, and never hangs or grows', () => {
  const values = Array.from({ length: 40 }, (_, id) => [
    { stringValue: String(id * 1_000_003) },
    { stringValue: `é${id}` },
  ]).flat();
  const good = message(values, true);
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(good.length), (at, byte, length) => {
      const damaged = Buffer.from(good.subarray(0, length));
      if (at < damaged.length) damaged[at] = byte;
      try {
        const decoder = resultDecoder(['Id', 'S'], 7);
        const blocks = [...decoder.blocks(damaged)];
        const last = decoder.finish();
        assert.ok(rowsOf(last ? [...blocks, last] : blocks).length <= 40);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});

test('resultDecoder() refuses values of another type, rows in part and columns that were not asked for', () => {
  const push = (values: protos.google.protobuf.IValue[], names = ['Id', 'S']) => {
    const decoder = resultDecoder(names, 7);
    assert.deepEqual([...decoder.blocks(message(values, true))], []);
    return decoder.finish();
  };
  const id = { stringValue: '1' };
  assert.equal(push([id, { nullValue: 0 }])?.rowCount, 1);
  assert.throws(() => push([{ stringValue: '9223372036854775808' }, id]), /INT64 is out of range/);
  assert.throws(() => push([{ stringValue: '12x' }, id]), DecodeError);
  assert.throws(() => push([{ stringValue: '' }, id]), DecodeError);
  assert.throws(() => push([{ boolValue: true }, id]), /column Id of type INT64 holds a BOOL/);
  assert.throws(() => push([id]), /ended inside a row/);
  assert.throws(() => push([id, id], ['Id', 'T']), /columns Id,T were asked for/);
});

test('readRange() goes on behind the last whole row when the stream breaks, without a row twice or missing', async (context) => {
  const total = 500;
  let state = 12345;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  let streams = 0;
  const serve = (call: ServerWritableStream<Buffer, Buffer>) => {
    streams += 1;
    const range = ReadRequest.decode(call.request).keySet?.ranges?.[0];
    const behind = range?.startOpen?.values?.[0]?.stringValue;
    const first = behind === undefined || behind === null ? 0 : Number(behind) + 1;
    const values = Array.from({ length: total - first }, (_, index) => [
      { stringValue: String(first + index) },
      { stringValue: `row ${first + index}` },
    ]).flat();
    const cut = Math.min(values.length, random(160) + 1);
    call.write(message(values.slice(0, Math.ceil(cut / 2)), true));
    call.write(message(values.slice(Math.ceil(cut / 2), cut), false));
    if (cut === values.length) call.end();
    else call.emit('error', { code: status.UNAVAILABLE, details: 'broken on purpose' });
  };
  const fake = new Server();
  const asIs = (bytes: Buffer) => bytes;
  const bytes = {
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  const path = (name: string) => `/google.spanner.v1.Spanner/${name}`;
  fake.addService(
    {
      CreateSession: { path: path('CreateSession'), requestStream: false, responseStream: false, ...bytes },
      StreamingRead: { path: path('StreamingRead'), requestStream: false, responseStream: true, ...bytes },
    },
    {
      CreateSession: (_: unknown, callback: (error: null, answer: Buffer) => void) =>
        callback(null, Buffer.from(Session.encode({ name: 's' }).finish())),
      StreamingRead: serve,
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    fake.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const broken = openSpannerChannel(opened.name, { SPANNER_EMULATOR_HOST: `127.0.0.1:${port}` });
  context.after(() => {
    broken.close();
    fake.forceShutdown();
  });
  const read = {
    table: 'V',
    columns: ['Id', 'S'],
    keyLength: 1,
    range: { from: undefined, to: undefined },
    blockRows: 64,
  };
  const blocks = await Array.fromAsync(readRange(broken, { ...read, readTimestamp: '2026-11-21T07:00:00Z' }));
  assert.deepEqual(
    rowsOf(blocks),
    Array.from({ length: total }, (_, id) => [String(id), `row ${id}`]),
  );
  assert.deepEqual(
    blocks.map(({ rowCount }) => rowCount),
    [64, 64, 64, 64, 64, 64, 64, 52],
  );
  assert.ok(streams > 5, `${streams} streams`);
});
