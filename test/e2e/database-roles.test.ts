import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Database } from '@google-cloud/spanner';
import { migrateAccess } from '../../deploy/cli/migrate-access.ts';
import { identities } from '../../deploy/cli/stack/identities.ts';
import { openStack, type Stack } from '../../deploy/cli/stack/stack.ts';
import { runFunction } from '../../deploy/local/functions/run-function.ts';
import { localProject } from '../../deploy/local/project.ts';
import { openDatabase } from '../../shared/adapters/spanner/open-database.ts';
import { type RoledFunction, roledFunctions } from '../../shared/model/grants/control-uses.ts';
import { roleOf } from '../../shared/model/grants/function-access.ts';
import { sendRecords } from './send-records.ts';

const TABLES = `
CREATE TABLE Orders (
  OrderId STRING(32) NOT NULL,
  Cents INT64,
  Version INT64,
  CardNumber STRING(32),
) PRIMARY KEY (OrderId);
CREATE TABLE Totals (
  Region STRING(8) NOT NULL,
  OrderCount INT64,
) PRIMARY KEY (Region);
CREATE TABLE Places (
  PlaceId STRING(8) NOT NULL,
  Name STRING(MAX),
  Secret STRING(MAX),
) PRIMARY KEY (PlaceId);`;

const DECLARATION = `
spanner: { database: "projects/\${GOOGLE_CLOUD_PROJECT}/instances/main/databases/roles" }
kafka: { brokers: "\${KAFKA_BROKERS}" }
pipelines:
  orders:
    source: { kafka: { topic: orders } }
    format: json
    table: Orders
    mode: upsert
    guard: Version
    columns: { OrderId: { key: true }, Cents: { field: cents }, Version: { field: version }, CardNumber: { field: card } }
  totals:
    source: { kafka: { topic: orders } }
    format: json
    table: Totals
    mode: aggregate
    groupBy: { Region: { field: region } }
    aggregates: { OrderCount: { count: true } }
  places:
    source: { pubsub: { subscription: places } }
    format: json
    table: Places
    mode: insert
    columns: { PlaceId: { field: id }, Name: { field: name }, Secret: { constant: null } }
secrets:
  spare: { strategy: hmac-key, every: 28d }
feeds:
  cents:
    table: Orders
    where: "Version > 0"
    transforms: { cents: { column: Cents, as: float32, fillNull: 0 } }
    label: { column: Cents, greaterThan: 5 }
    batchRows: 256
    shards: 2
    trainer: { url: "\${TRAINER_URL}" }
`;

/** For each function: a column that it may not read, and a row that it may not write. */
const cases: Readonly<Record<RoledFunction, { readonly outside: string; readonly write: readonly [string, object] }>> =
  {
    'kafka-sink': { outside: 'SELECT CardNumber FROM Orders', write: ['Places', { PlaceId: 'x' }] },
    'pubsub-sink': { outside: 'SELECT Name FROM Places', write: ['Orders', { OrderId: 'x' }] },
    'plan-epoch': { outside: 'SELECT CardNumber FROM Orders', write: ['Orders', { OrderId: 'x' }] },
    'read-shard': { outside: 'SELECT CardNumber FROM Orders', write: ['Orders', { OrderId: 'x', Cents: 1 }] },
    'rotate-secrets': { outside: 'SELECT Cents FROM Orders', write: ['PenstockEpochs', { EpochId: 'x' }] },
    dashboard: { outside: 'SELECT OrderId FROM Orders', write: ['PenstockShards', { EpochId: 'x', ShardId: 0 }] },
  };

let stack: Stack;
before(async () => {
  stack = await openStack({ declaration: DECLARATION, tables: TABLES });
});
after(() => stack?.close());

const order = (id: number) => ({
  key: `o${id}`,
  value: JSON.stringify({ cents: id, version: 1, card: '4111', region: 'eu' }),
});

async function rows(sql: string, database: Database = stack.database): Promise<Record<string, unknown>[]> {
  const [found] = await database.run({ sql, json: true });
  return found.map((row: object) => ({ ...row }));
}

async function count(table: string): Promise<number> {
  return Number((await rows(`SELECT COUNT(*) AS n FROM ${table}`))[0]?.n);
}

async function ddl(...statements: string[]): Promise<void> {
  const [operation] = await stack.database.updateSchema(statements);
  await operation.promise();
}

async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A bundle of its own beside the stack's, and how to knock at it. */
async function open(name: RoledFunction, env: Readonly<Record<string, string>> = {}) {
  const running = await runFunction({ name, env: { ...stack.environments[name], ...env } });
  const caller = stack.environments[name].PENSTOCK_CALLERS ?? '';
  const token = caller === '' ? '' : await stack.cloud.identity.mintIdToken(caller, running.audience);
  return {
    post: (body: unknown) =>
      fetch(running.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
      }),
    get: (path: string) => fetch(`${running.url}${path}`),
    [Symbol.asyncDispose]: () => running.stop(),
  };
}

function push(subscription: string, messageId: string, data: unknown) {
  const message = { messageId, data: Buffer.from(JSON.stringify(data)).toString('base64') };
  return { message, subscription: `projects/${localProject}/subscriptions/${subscription}` };
}

/** Whether everything that the topics hold could be written. */
const drained = async (env: Readonly<Record<string, string>> = {}): Promise<boolean> => {
  await using sink = await open('kafka-sink', env);
  const answer = await sink.post({});
  assert.equal(answer.status, 200);
  const report: unknown = await answer.json();
  return typeof report === 'object' && report !== null && 'caughtUp' in report && report.caughtUp === true;
};
const pushed = async (messageId: string, data: unknown): Promise<number> => {
  await using sink = await open('pubsub-sink');
  return (await sink.post(push('places', messageId, data))).status;
};
const planned = async (): Promise<number> => {
  await using plan = await open('plan-epoch');
  return (await plan.post({ feed: 'cents' })).status;
};
const shown = async (): Promise<number> => {
  await using dashboard = await open('dashboard');
  return (await dashboard.get('/api/overview')).status;
};

/** Follows the newest epoch until it is in one of these states. */
async function epochIn(...states: string[]): Promise<string> {
  let state = '';
  await eventually(`the epoch is ${state}`, async () => {
    const [newest] = await rows('SELECT State FROM PenstockEpochs ORDER BY PlannedAt DESC LIMIT 1');
    state = String(newest?.State);
    return states.includes(state);
  });
  return state;
}

test('each function does its whole work under its database role', async () => {
  const sent = Array.from({ length: 40 }, (_, at) => order(at));
  await sendRecords(stack, 'orders', [
    ...sent,
    { key: 'o1', value: JSON.stringify({ cents: 7, version: 2, card: '4111', region: 'us' }) },
    { key: 'o2', value: null },
    { key: 'o3', value: '{"cents":' },
  ]);
  assert.ok(await drained());
  assert.deepEqual(await rows("SELECT Cents FROM Orders WHERE OrderId = 'o1'"), [{ Cents: 7 }]);
  assert.equal(await count('Orders'), 39);
  assert.equal(await count('Totals'), 2);
  assert.equal(await count('PenstockDeadLetters'), 2);

  assert.equal(await pushed('1', { id: 'p1', name: 'Pier' }), 204);
  assert.equal(await pushed('1', { id: 'p1', name: 'Pier' }), 204);
  assert.equal(await pushed('2', { name: 'nowhere' }), 204);
  assert.equal(await count('Places'), 1);
  assert.equal(await count('PenstockReceipts'), 2);

  assert.equal(await planned(), 200);
  assert.equal(await epochIn('delivered', 'failed'), 'delivered');
  assert.equal(await shown(), 200);

  // As whom each did it, the metadata server said.
  const written = await rows('SELECT DISTINCT Identity FROM PenstockLineage');
  assert.deepEqual(written, [{ Identity: identities.kafkaSink }]);
  assert.deepEqual(await rows('SELECT PlannedBy FROM PenstockEpochs'), [{ PlannedBy: identities.planEpoch }]);
});

for (const name of roledFunctions) {
  const role = roleOf(name);
  test(`${role} may neither read nor write a column outside its grant`, async () => {
    const { outside, write } = cases[name];
    const opened = openDatabase(stack.declaration.spanner.database, role);
    try {
      const refused = { code: 7, details: new RegExp(`^Role ${role} does not have required privileges on table `) };
      await assert.rejects(opened.database.run(outside), refused);
      await assert.rejects(opened.database.table(write[0]).upsert(write[1]), refused);
    } finally {
      await opened.close();
    }
  });
}

test('what transforms learned is read by planner and readers alone, and not by the page', async () => {
  for (const name of roledFunctions) {
    const opened = openDatabase(stack.declaration.spanner.database, roleOf(name));
    const reading = opened.database.run('SELECT Manifest FROM PenstockEpochs');
    try {
      if (name === 'plan-epoch' || name === 'read-shard') await assert.doesNotReject(reading, name);
      else await assert.rejects(reading, { code: 7 }, name);
    } finally {
      await opened.close();
    }
  }
});

test('kafka-sink writes nothing and sets nothing aside when a column is not granted, and goes on when it is', async () => {
  await ddl('REVOKE INSERT(Cents), UPDATE(Cents) ON TABLE Orders FROM ROLE penstock_kafka_sink');
  const before = [await count('Orders'), await count('PenstockDeadLetters')];
  await sendRecords(stack, 'orders', [order(100)]);
  // It waits for the grant, as it waits for a database that is away.
  assert.ok(!(await drained({ PENSTOCK_DRAIN_MS: '3000' })));
  assert.deepEqual([await count('Orders'), await count('PenstockDeadLetters')], before);
  assert.equal((await migrateAccess(stack.declaration)).length, 1);
  assert.ok(await drained());
  assert.equal(await count('Orders'), (before[0] ?? 0) + 1);
});

test('pubsub-sink takes nothing when a column is not granted, and takes the same message when it is', async () => {
  await ddl('REVOKE INSERT(Name) ON TABLE Places FROM ROLE penstock_pubsub_sink');
  const before = [await count('Places'), await count('PenstockReceipts'), await count('PenstockDeadLetters')];
  assert.ok((await pushed('3', { id: 'p3', name: 'Quay' })) >= 500);
  assert.deepEqual(
    [await count('Places'), await count('PenstockReceipts'), await count('PenstockDeadLetters')],
    before,
  );
  await migrateAccess(stack.declaration);
  assert.equal(await pushed('3', { id: 'p3', name: 'Quay' }), 204);
  assert.equal(await count('Places'), (before[0] ?? 0) + 1);
});

test('plan-epoch plans nothing when a column of the feed is not granted', async () => {
  await ddl('REVOKE SELECT(Cents) ON TABLE Orders FROM ROLE penstock_plan_epoch');
  const before = await count('PenstockEpochs');
  assert.ok((await planned()) >= 500);
  assert.equal(await count('PenstockEpochs'), before);
  await migrateAccess(stack.declaration);
  assert.equal(await planned(), 200);
  assert.equal(await epochIn('delivered', 'failed'), 'delivered');
});

test('read-shard delivers nothing of a column that is not granted, and says so in the epoch', async () => {
  await ddl('REVOKE SELECT(Cents) ON TABLE Orders FROM ROLE penstock_read_shard');
  assert.equal(await planned(), 200);
  assert.equal(await epochIn('delivered', 'failed'), 'failed');
  const [epoch] = await rows('SELECT Error FROM PenstockEpochs ORDER BY PlannedAt DESC LIMIT 1');
  assert.match(String(epoch?.Error), /does not have required privileges on table Orders/);
  await migrateAccess(stack.declaration);
});

test('the dashboard shows nothing when a column that it shows is not granted', async () => {
  for (const granted of [
    'SELECT(Owner) ON TABLE PenstockCheckpoints',
    'SELECT(Reason) ON TABLE PenstockRotations',
    'SELECT(Version) ON TABLE PenstockSecretUsers',
  ]) {
    await ddl(`REVOKE ${granted} FROM ROLE penstock_dashboard`);
    assert.equal(await shown(), 503, granted);
    await migrateAccess(stack.declaration);
  }
  assert.equal(await shown(), 200);
});

test('migrateAccess() repairs what was granted or revoked by hand, and then has nothing to do', async () => {
  assert.deepEqual(await migrateAccess(stack.declaration), []);
  await ddl(
    'GRANT SELECT ON TABLE Orders TO ROLE penstock_dashboard',
    'GRANT SELECT(CardNumber) ON TABLE Orders TO ROLE penstock_read_shard',
    'GRANT ROLE spanner_info_reader TO ROLE penstock_read_shard',
    'REVOKE DELETE ON TABLE Orders FROM ROLE penstock_kafka_sink',
  );
  assert.deepEqual(await migrateAccess(stack.declaration), [
    'GRANT DELETE ON TABLE Orders TO ROLE penstock_kafka_sink',
    'REVOKE ROLE spanner_info_reader FROM ROLE penstock_read_shard',
    'REVOKE SELECT(CardNumber) ON TABLE Orders FROM ROLE penstock_read_shard',
    'REVOKE SELECT ON TABLE Orders FROM ROLE penstock_dashboard',
  ]);
  assert.deepEqual(await migrateAccess(stack.declaration), []);
});
