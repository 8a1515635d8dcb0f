import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { openLocalDatabase } from '../../../deploy/cli/stack/open-local-database.ts';
import { type LocalCloud, openLocalCloud } from '../../../deploy/local/cloud.ts';
import { roledFunctions } from '../../../shared/model/grants/control-uses.ts';

const DATABASE = 'projects/penstock-local/instances/main/databases/plan';
const TABLES = `
CREATE TABLE Orders (
  OrderId STRING(32) NOT NULL,
  Cents INT64,
  CardNumber STRING(32),
) PRIMARY KEY (OrderId);`;
const DECLARATION = `
spanner: { database: "${DATABASE}" }
kafka: { brokers: "b:9092", auth: { mechanism: scram-sha-512, secret: kafka-user }, tls: { ca: kafka-ca } }
pipelines:
  orders:
    source: { kafka: { topic: orders } }
    format: json
    table: Orders
    mode: upsert
    tombstones: ignore
    columns: { OrderId: { key: true }, Cents: { field: cents }, CardNumber: { field: card } }
feeds:
  cents:
    table: orders
    where: "cents > 0"
    transforms: { cents: { column: cents, as: float32, fillNull: 0 } }
    trainer: { url: https://trainer.example }
`;

let cloud: LocalCloud;
const folder = mkdtempSync(join(tmpdir(), 'plan-access-'));
const config = join(folder, 'penstock.yaml');
before(async () => {
  cloud = await openLocalCloud();
  writeFileSync(config, DECLARATION);
  await (await openLocalDatabase(cloud, DATABASE, TABLES)).close();
});
after(async () => {
  await cloud.close();
  rmSync(folder, { recursive: true });
});

const launcher = resolve(import.meta.dirname, '../../../deploy/cli/launch.js');

/** The servers are in this process: it must not wait for the command without serving. */
async function penstock(args: readonly string[], file = config) {
  const env = { ...process.env, ...cloud.env };
  const child = spawn(process.execPath, [launcher, ...args, '--config', file], { env });
  const exit = new Promise<number | null>((settle) => child.on('exit', settle));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { code, stdout, stderr };
}

test('penstock plan-access prints least grants and IAM, migrate --access runs them, and nothing is left to do', async () => {
  const plan = await penstock(['plan-access']);
  assert.equal(plan.code, 0, plan.stderr);
  for (const line of [
    'CREATE ROLE penstock_kafka_sink;',
    'GRANT ROLE spanner_info_reader TO ROLE penstock_kafka_sink;',
    'GRANT INSERT(CardNumber, Cents, OrderId), UPDATE(CardNumber, Cents, OrderId) ON TABLE Orders TO ROLE penstock_kafka_sink;',
    'GRANT SELECT(Cents, OrderId) ON TABLE Orders TO ROLE penstock_read_shard;',
    'GRANT SELECT(Cents, OrderId) ON TABLE Orders TO ROLE penstock_plan_epoch;',
  ]) {
    assert.ok(plan.stdout.split('\n').includes(line), `${line}\n${plan.stdout}`);
  }
  assert.match(plan.stdout, /gcloud secrets add-iam-policy-binding kafka-user .*kafka-sink@/);
  assert.match(plan.stdout, /databases\/plan\/databaseRoles\/penstock_read_shard/);
  assert.doesNotMatch(plan.stdout, /ON TABLE Orders TO ROLE penstock_(dashboard|pubsub_sink)/);

  const json = JSON.parse((await penstock(['plan-access', '--json'])).stdout);
  assert.deepEqual(
    json.functions.map((access: { function: string }) => access.function),
    [...roledFunctions],
  );
  const applied = JSON.parse((await penstock(['migrate', '--access', '--json'])).stdout).applied;
  assert.deepEqual(applied, json.statements);
  assert.deepEqual(JSON.parse((await penstock(['migrate', '--access', '--json'])).stdout).applied, []);
  assert.match((await penstock(['plan-access'])).stdout, /has these roles and grants already/);
});

test('penstock plan-access names a table that is missing', async () => {
  const wrong = join(folder, 'wrong.yaml');
  writeFileSync(wrong, DECLARATION.replace('table: Orders', 'table: Nowhere'));
  const { code, stderr } = await penstock(['plan-access'], wrong);
  assert.equal(code, 2);
  assert.match(stderr, /Nowhere/);
});
