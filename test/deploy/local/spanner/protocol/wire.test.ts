import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import protos from '@google-cloud/spanner-api/build/protos/protos.js';
import { Client, credentials, type Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { openSpannerServer, type SpannerServer } from '../../../../../deploy/local/spanner/server.ts';

const { spanner, longrunning } = protos.google;
const { v1 } = spanner;
const SERVICE = '/google.spanner.v1.Spanner';
const INSTANCE = 'projects/p/instances/main';
const DATABASE = `${INSTANCE}/databases/wire`;
const DAY_MS = 86_400_000;

interface Codec<I, T extends I> {
  encode(message: I): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

let server: SpannerServer;
let client: Client;
let session: string;
let now = Date.now();
let abortNext = false;

before(async () => {
  server = await openSpannerServer({ now: () => now, faults: { abortCommits: () => abortNext } });
  client = new Client(server.address, credentials.createInsecure(), { 'grpc.max_receive_message_length': -1 });
  const { database, instance } = spanner.admin;
  await unary(
    '/google.spanner.admin.instance.v1.InstanceAdmin/CreateInstance',
    [instance.v1.CreateInstanceRequest, longrunning.Operation],
    { parent: 'projects/p', instanceId: 'main' },
  );
  const operation = await unary(
    '/google.spanner.admin.database.v1.DatabaseAdmin/CreateDatabase',
    [database.v1.CreateDatabaseRequest, longrunning.Operation],
    {
      parent: INSTANCE,
      createStatement: 'CREATE DATABASE wire',
      extraStatements: [
        'CREATE TABLE T (K INT64 NOT NULL, S STRING(MAX), C TIMESTAMP) PRIMARY KEY (K), ROW DELETION POLICY (OLDER_THAN(C, INTERVAL 1 DAY))',
      ],
    },
  );
  assert.equal(
    operation.metadata?.type_url,
    'type.googleapis.com/google.spanner.admin.database.v1.CreateDatabaseMetadata',
  );
  const again = await unary(
    '/google.longrunning.Operations/GetOperation',
    [longrunning.GetOperationRequest, longrunning.Operation],
    { name: operation.name },
  );
  assert.deepEqual(again, operation);
  session = (await unary(`${SERVICE}/CreateSession`, [v1.CreateSessionRequest, v1.Session], { database: DATABASE }))
    .name;
});

after(async () => {
  client.close();
  await server.close();
});

test('a string that is not UTF-8 is refused as INVALID_ARGUMENT, a replacement character is not', async () => {
  const request = v1.CommitRequest.encode(commitOf([['1', 'a\ufffdZZ']])).finish();
  const bad = Buffer.from(request);
  const at = bad.indexOf('ZZ');
  bad[at] = 0xc3;
  await assert.rejects(send(bad), { code: status.INVALID_ARGUMENT, details: /UTF-8/ });
  await send(Buffer.from(request));
});

test('a request over 10 MiB is refused, a commit only over 100 MiB', async () => {
  const table = 'x'.repeat(10 * 1024 * 1024);
  await assert.rejects(stream({ session, table, columns: ['K'], keySet: { all: true } }), {
    code: status.INVALID_ARGUMENT,
  });
  const rows = Array.from({ length: 41 }, (_, i) => [String(i), 'x'.repeat(2_600_000)]);
  await assert.rejects(send(Buffer.from(v1.CommitRequest.encode(commitOf(rows)).finish())), {
    code: status.INVALID_ARGUMENT,
    details: /maximum total bytes-size/,
  });
});

test('an aborted commit says when to try again, and has written nothing', async () => {
  abortNext = true;
  const error = await send(Buffer.from(v1.CommitRequest.encode(commitOf([['66', '']])).finish())).then(
    () => assert.fail('committed'),
    (reason: ServiceError) => reason,
  );
  abortNext = false;
  assert.equal(error.code, status.ABORTED);
  const metadata: Metadata = error.metadata;
  assert.equal(metadata.get('google.rpc.retryinfo-bin').length, 1);
  const messages = await stream({
    session,
    table: 'T',
    columns: ['K'],
    keySet: { keys: [{ values: [{ stringValue: '66' }] }] },
  });
  assert.equal(messages.flatMap(({ values }) => values ?? []).length, 0);
});

test('StreamingRead goes on behind the resume token of any message, at the timestamp of the first', async () => {
  const rows = Array.from({ length: 9000 }, (_, i) => [String(1000 + i), 'x'.repeat(100)]);
  await unary(`${SERVICE}/Commit`, [v1.CommitRequest, v1.CommitResponse], commitOf(rows));
  const request = {
    session,
    table: 'T',
    columns: ['K'],
    limit: 8000,
    keySet: { ranges: [{ startClosed: key('1000'), endOpen: key('20000') }] },
  };
  const whole = await stream(request);
  assert.ok(whole.length >= 1);
  const all = whole.flatMap(({ values }) => values ?? []);
  assert.equal(all.length, 8000);
  // Rows added later are not part of a read that goes on.
  const columns = ['K', 'S'];
  const wide = await stream({ ...request, columns });
  assert.ok(wide.length > 5);
  await unary(`${SERVICE}/Commit`, [v1.CommitRequest, v1.CommitResponse], commitOf([['19999', 'late']]));
  const rest = await stream({ ...request, columns, resumeToken: wide[2]?.resumeToken ?? null });
  const values = [...wide.slice(0, 3), ...rest].flatMap((message) => message.values ?? []);
  assert.deepEqual(
    values.filter((_, i) => i % 2 === 0).map(({ stringValue }) => stringValue),
    all.map(({ stringValue }) => stringValue),
  );
  await assert.rejects(stream({ ...request, resumeToken: Buffer.from('?') }), { code: status.INVALID_ARGUMENT });
});

test('a multiplexed session gives precommit tokens and refuses that of another transaction', async () => {
  const codec = [v1.BeginTransactionRequest, v1.Transaction] as const;
  const { name, multiplexed } = await unary(`${SERVICE}/CreateSession`, [v1.CreateSessionRequest, v1.Session], {
    database: DATABASE,
    session: { multiplexed: true },
  });
  assert.equal(multiplexed, true);
  const begin = { session: name, options: { readWrite: {} } };
  const one = await unary(`${SERVICE}/BeginTransaction`, codec, begin);
  const two = await unary(`${SERVICE}/BeginTransaction`, codec, begin);
  assert.ok(one.precommitToken);
  const commit = { session: name, transactionId: one.id, mutations: [] };
  const commitCodec = [v1.CommitRequest, v1.CommitResponse] as const;
  await assert.rejects(
    unary(`${SERVICE}/Commit`, commitCodec, { ...commit, precommitToken: two.precommitToken ?? null }),
    {
      code: status.INVALID_ARGUMENT,
    },
  );
  await unary(`${SERVICE}/Commit`, commitCodec, { ...commit, precommitToken: one.precommitToken });
  await assert.rejects(
    stream({ session: name, table: 'T', columns: ['K'], keySet: { all: true }, transaction: { id: one.id } }),
    (error: ServiceError) => error.code === status.ABORTED || error.code === status.FAILED_PRECONDITION,
  );
});

test('sessions are made in batches, listed, and gone when deleted', async () => {
  const made = await unary(
    `${SERVICE}/BatchCreateSessions`,
    [v1.BatchCreateSessionsRequest, v1.BatchCreateSessionsResponse],
    {
      database: DATABASE,
      sessionCount: 3,
    },
  );
  assert.equal(made.session.length, 3);
  const name = made.session[0]?.name ?? '';
  await unary(`${SERVICE}/DeleteSession`, [v1.DeleteSessionRequest, protos.google.protobuf.Empty], { name });
  await assert.rejects(unary(`${SERVICE}/GetSession`, [v1.GetSessionRequest, v1.Session], { name }), {
    code: status.NOT_FOUND,
    details: `Session not found: ${name}`,
  });
  const { sessions } = await unary(`${SERVICE}/ListSessions`, [v1.ListSessionsRequest, v1.ListSessionsResponse], {
    database: DATABASE,
  });
  assert.ok(sessions.some((one) => one.name === session) && !sessions.some((one) => one.name === name));
});

test('sweep() deletes the rows that a row deletion policy gives up', async () => {
  const old = new Date(now - 2 * DAY_MS).toISOString();
  const young = new Date(now).toISOString();
  await unary(`${SERVICE}/Commit`, [v1.CommitRequest, v1.CommitResponse], {
    session,
    singleUseTransaction: { readWrite: {} },
    mutations: [{ insert: { table: 'T', columns: ['K', 'C'], values: [key('-1', old), key('-2', young)] } }],
  });
  assert.equal(server.sweep(), 1);
  now += 2 * DAY_MS;
  assert.equal(server.sweep(), 1);
});

function commitOf(rows: readonly (readonly string[])[]): protos.google.spanner.v1.ICommitRequest {
  const values = rows.map((row) => key(...row));
  return {
    session,
    singleUseTransaction: { readWrite: {} },
    mutations: [{ insertOrUpdate: { table: 'T', columns: ['K', 'S'], values } }],
  };
}

function key(...parts: readonly string[]): { values: { stringValue: string }[] } {
  return { values: parts.map((stringValue) => ({ stringValue })) };
}

function send(bytes: Buffer): Promise<unknown> {
  const codec = { encode: (raw: Buffer) => ({ finish: () => raw }), decode: (raw: Uint8Array) => Buffer.from(raw) };
  return unary(`${SERVICE}/Commit`, [codec, codec], bytes);
}

function unary<I, T extends I, J, U extends J>(
  path: string,
  [request, response]: readonly [Codec<I, T>, Codec<J, U>],
  message: I,
): Promise<U> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      (value: I) => Buffer.from(request.encode(value).finish()),
      (bytes) => response.decode(bytes),
      message,
      (error, answer) => (error ? reject(error) : answer ? resolve(answer) : reject(new Error('No answer'))),
    );
  });
}

async function stream(
  request: protos.google.spanner.v1.IReadRequest,
): Promise<protos.google.spanner.v1.PartialResultSet[]> {
  const call = client.makeServerStreamRequest(
    `${SERVICE}/StreamingRead`,
    (value: protos.google.spanner.v1.IReadRequest) => Buffer.from(v1.ReadRequest.encode(value).finish()),
    (bytes) => v1.PartialResultSet.decode(bytes),
    request,
  );
  const messages: protos.google.spanner.v1.PartialResultSet[] = [];
  for await (const message of call) messages.push(message);
  return messages;
}
