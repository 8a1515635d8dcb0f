import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { type Database, Spanner } from '@google-cloud/spanner';
import { createTopic } from '../../../deploy/cli/stack/create-topic.ts';
import { createOnEmulator } from '../../../deploy/gcp/migrate.ts';
import { type LocalCloud, openLocalCloud } from '../../../deploy/local/cloud.ts';
import { localProject } from '../../../deploy/local/project.ts';

const launcher = resolve(import.meta.dirname, '../../../deploy/cli/launch.js');
const PATH = `projects/${localProject}/instances/main/databases/guarded`;
const pipeline = (topic: string): string =>
  `{ source: { kafka: { topic: ${topic} } }, format: json, table: Orders, mode: upsert, columns: { OrderId: { key: true } } }`;
const DECLARATION = `
spanner: { database: "${PATH}" }
kafka: { brokers: "\${KAFKA_BROKERS}" }
pipelines:
  orders: ${pipeline('orders')}
  returns: ${pipeline('returns')}
access: { policies: ./policies }
`;
const POLICIES = `
@id("tables") permit (principal == Person::"ada@example.com", action == Action::"migrate", resource == Database::"guarded");
@id("orders") permit (principal == Person::"ada@example.com", action == Action::"trigger", resource == Pipeline::"orders");
@id("page") permit (principal == Person::"ada@example.com", action == Action::"trigger", resource == Function::"dashboard");
@id("roles") permit (principal == Person::"rita@example.com", action in [Action::"migrate", Action::"grantRoles"], resource)
when { resource is Database && resource.project == "${localProject}" && resource.instance == "main" };
`;

const dir = mkdtempSync(join(tmpdir(), 'guarded-commands-'));
let cloud: LocalCloud;
let database: Database;

before(async () => {
  cloud = await openLocalCloud();
  process.env.SPANNER_EMULATOR_HOST = cloud.env.SPANNER_EMULATOR_HOST;
  process.env.METADATA_SERVER_DETECTION ??= 'none';
  writeFileSync(join(dir, 'penstock.yaml'), DECLARATION);
  mkdirSync(join(dir, 'policies'));
  writeFileSync(join(dir, 'policies/p.cedar'), POLICIES);
  const brokers = (cloud.env.KAFKA_BROKERS ?? '').split(',');
  for (const name of ['orders', 'returns'])
    await createTopic(brokers, { name, partitions: 1, maxMessageBytes: 65_536 });
  const spanner = new Spanner({ projectId: localProject });
  await createOnEmulator(spanner, PATH);
  database = spanner.instance('main').database('guarded');
});
after(async () => {
  await database.close();
  await cloud.close();
  rmSync(dir, { recursive: true });
});

/** Runs a command as somebody, to its end. */
async function penstock(who: string, ...args: string[]) {
  const env = { ...process.env, ...cloud.env, PENSTOCK_IDENTITY: `${who}@example.com` };
  const command = [launcher, ...args, '--config', join(dir, 'penstock.yaml'), '--json'];
  const child = spawn(process.execPath, command, { env });
  const [out, error, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  const decided = error
    .split('\n')
    .filter((line) => line.includes('"access.decide"'))
    .map((line): Record<string, unknown> => JSON.parse(line))
    .map(({ identity, asked, resource, outcome, door }) => [identity, asked, resource, outcome, door]);
  return { code, out, error, decided };
}

async function names(sql: string): Promise<string[]> {
  const [rows] = await database.run({ sql, json: true });
  return rows.map((row) => String(Object(row).Name));
}

const tables = () => names(`SELECT TABLE_NAME AS Name FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = ''`);
const roles = () => names(`SELECT ROLE_NAME AS Name FROM INFORMATION_SCHEMA.ROLES WHERE NOT IS_SYSTEM`);

test('penstock migrate changes the database for whom policies permit it, and for nobody else anything', async () => {
  const eve = await penstock('eve', 'migrate');
  assert.equal(eve.code, 1);
  assert.match(eve.error, /eve@example\.com may not migrate Database\/guarded: denied: no policy permits it/);
  assert.deepEqual(eve.decided, [['eve@example.com', 'migrate', 'Database/guarded', 'refused', 'penstock']]);
  assert.deepEqual(await tables(), []);

  const tooMuch = await penstock('ada', 'migrate', '--access');
  assert.match(tooMuch.error, /ada@example\.com may not grantRoles Database\/guarded/);
  assert.deepEqual([tooMuch.code, await tables()], [1, []], 'nothing is done of what is half permitted');

  const ada = await penstock('ada', 'migrate', '--tables');
  assert.equal(ada.code, 0, ada.error);
  const made = await tables();
  assert.ok(made.includes('PenstockCheckpoints') && made.includes('Orders'), made.join());
  assert.deepEqual(await roles(), []);

  const rita = await penstock('rita', 'migrate', '--access');
  assert.equal(rita.code, 0, rita.error);
  assert.ok((await roles()).length > 0);
});

test('penstock run starts no pipeline unless policies permit each that it would run', async () => {
  const both = await penstock('ada', 'run', 'kafka-sink', '--until-caught-up');
  assert.equal(both.code, 1);
  assert.match(both.error, /ada@example\.com may not trigger Pipeline\/returns/);
  assert.doesNotMatch(both.error, /kafka\.connect/, 'no broker was asked');

  const one = await penstock('ada', 'run', 'kafka-sink', '--until-caught-up', '--pipeline', 'orders');
  assert.equal(one.code, 0, one.error);
  assert.match(one.error, /kafka\.connect/);
  assert.deepEqual(one.decided, [['ada@example.com', 'trigger', 'Pipeline/orders', 'done', 'penstock']]);

  const none = await penstock('ada', 'run', 'kafka-sink', '--pipeline', 'nonsense');
  assert.equal(none.code, 2, 'what is not declared is a mistake, not a denial');
});

test('penstock serve starts no function unless policies permit each', async () => {
  const { code, out, error, decided } = await penstock('ada', 'serve', '--port', '0');
  assert.deepEqual([code, out], [1, '']);
  assert.match(error, /ada@example\.com may not trigger Function\/kafka-sink/);
  assert.deepEqual(
    decided.map(([, , resource, outcome]) => [resource, outcome]),
    [
      ['Function/dashboard', 'done'],
      ['Function/kafka-sink', 'refused'],
    ],
  );
});
