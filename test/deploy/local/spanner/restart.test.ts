import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import type { Database } from '@google-cloud/spanner';
import { Spanner, v1 } from '@google-cloud/spanner';
import { credentials, status } from '@grpc/grpc-js';
import { connect } from './open-client.ts';

const SCHEMA = 'CREATE TABLE Log (Id INT64 NOT NULL, Body STRING(MAX)) PRIMARY KEY (Id)';
const ROUNDS = 3;

test('everything that was acknowledged survives kill -9, also in the past, and nothing else appears', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'spanner-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const acknowledged = new Set<number>();
  const attempted = new Set<number>();
  let past: { readTimestamp: ReturnType<typeof Spanner.timestamp>; count: number } | undefined;
  for (let round = 0; round <= ROUNDS; round++) {
    const { child, address } = await serve(t, dir);
    const spanner = connect(address);
    const database = round === 0 ? await create(spanner) : spanner.instance('main').database('log');
    const [rows] = await database.table('Log').read({ columns: ['Id'], keySet: { all: true }, json: true });
    const ids = new Set(rows.map((row) => (row as { Id: number }).Id));
    for (const id of acknowledged) assert.ok(ids.has(id), `row ${id} was lost`);
    for (const id of ids) assert.ok(attempted.has(id), `row ${id} came from nowhere`);
    if (past) {
      const [then] = await database
        .table('Log')
        .read({ columns: ['Id'], keySet: { all: true } }, { readTimestamp: past.readTimestamp });
      assert.equal(then.length, past.count);
    }
    past = { readTimestamp: Spanner.timestamp(Date.now()), count: ids.size };
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (round < ROUNDS) await writeUntilKilled(database, child, { round, attempted, acknowledged });
    else {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await database.close();
    spanner.close();
  }
  assert.ok(acknowledged.size >= ROUNDS * 20);
});

test('a Commit repeated after a restart gives its first outcome, one that had not committed is ABORTED', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'spanner-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const first = await serve(t, dir);
  const spanner = connect(first.address);
  const database = await create(spanner);
  const name = database.formattedName_;
  const one = raw(first.address);
  const [session] = await one.createSession({ database: name, session: { multiplexed: true } });
  const begin = async (): Promise<Uint8Array | string | null | undefined> =>
    (await one.beginTransaction({ session: session.name ?? '', options: { readWrite: {} } }))[0].id;
  const [committed, open] = [await begin(), await begin()];
  const request = {
    session: session.name ?? '',
    mutations: [{ insert: { table: 'Log', columns: ['Id'], values: [{ values: [{ stringValue: '1' }] }] } }],
  };
  const [response] = await one.commit({ ...request, transactionId: committed ?? '' });
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  await one.close();
  await database.close();
  spanner.close();
  const second = await serve(t, dir);
  const two = raw(second.address);
  const [again] = await two.commit({ ...request, transactionId: committed ?? '' });
  assert.deepEqual(again.commitTimestamp, response.commitTimestamp);
  await assert.rejects(two.commit({ ...request, transactionId: open ?? '' }), { code: status.ABORTED });
  second.child.kill('SIGKILL');
  await once(second.child, 'exit');
  await two.close();
});

async function writeUntilKilled(
  database: Database,
  child: ChildProcess,
  { round, attempted, acknowledged }: { round: number; attempted: Set<number>; acknowledged: Set<number> },
): Promise<void> {
  const killed = once(child, 'exit');
  let isDead = false;
  void killed.then(() => {
    isDead = true;
  });
  for (let i = 0; !isDead; i++) {
    const id = round * 100_000 + i;
    attempted.add(id);
    const written = database
      .table('Log')
      .upsert({ Id: id, Body: 'x'.repeat(i) }, { gaxOptions: { timeout: 2000, retry: null } });
    const outcome = await Promise.race([
      written.then(
        () => true,
        () => false,
      ),
      killed.then(() => false),
    ]);
    if (outcome) acknowledged.add(id);
    // The next write is on its way when the process dies.
    if (i === 20) setImmediate(() => child.kill('SIGKILL'));
    written.catch(() => undefined);
  }
}

async function serve(t: TestContext, dir: string): Promise<{ child: ChildProcess; address: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'serve.ts'), dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [address] = await once(createInterface(child.stdout), 'line');
  return { child, address: String(address) };
}

async function create(spanner: ReturnType<typeof connect>): Promise<Database> {
  const [instance, creation] = await spanner.createInstance('main', { config: 'c', nodes: 1, displayName: 'Main' });
  await creation.promise();
  const [database, operation] = await instance.createDatabase('log', { schema: [SCHEMA] });
  await operation.promise();
  return database;
}

function raw(address: string): v1.SpannerClient {
  const [apiEndpoint = '', port] = address.split(':');
  return new v1.SpannerClient({
    apiEndpoint,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
    projectId: 'p',
  });
}
