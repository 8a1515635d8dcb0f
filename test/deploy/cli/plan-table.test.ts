import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { openSpannerServer } from '../../../deploy/local/spanner/server.ts';
import { openSpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { openPipeline } from '../../../shared/adapters/spanner/ingest/open-pipeline.ts';
import { readTableSchema } from '../../../shared/adapters/spanner/read-table-schema.ts';
import { readDeclaration } from '../../../shared/model/config/read-declaration.ts';

const root = resolve(import.meta.dirname, '../../..');
const dir = mkdtempSync(join(tmpdir(), 'plan-'));
after(() => rmSync(dir, { recursive: true }));

const path = 'projects/test/instances/main/databases/planned';
const config = join(dir, 'penstock.yaml');
const schema = JSON.stringify({
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'Amount', type: { type: 'bytes', logicalType: 'decimal', precision: 20, scale: 4 } },
    { name: 'PlacedAt', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'Items', type: { type: 'array', items: 'string' } },
    { name: 'Note', type: ['null', 'string'] },
    { name: 'Version', type: 'long' },
  ],
});
const declaration = `
spanner: { database: ${path} }
kafka: { brokers: localhost:9092 }
pipelines:
  orders:
    source: { kafka: { topic: orders } }
    format: avro
    schema: { file: order.avsc }
    table: Orders
    mode: upsert
    guard: Version
    columns:
      Shard: { hashOf: [OrderId], buckets: 16 }
      OrderId: { field: id }
  totals:
    source: { kafka: { topic: orders } }
    format: avro
    schema: { file: order.avsc }
    table: Totals
    mode: aggregate
    groupBy: { Hour: { field: PlacedAt, window: 1h } }
    aggregates:
      Orders: { count: true }
      Revenue: { sum: Amount }
      LastNote: { last: Note, by: Version, version: LastVersion }
  clicks:
    source: { kafka: { topic: clicks } }
    format: json
    columns:
      ClickId: { key: true }
      Page: { field: page }
      At: { field: at, as: timestamp, format: yyyy-MM-dd HH:mm }
    table: Clicks
    mode: insert
`;
writeFileSync(config, declaration);
writeFileSync(join(dir, 'order.avsc'), schema);

async function penstock(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const all = [join(root, 'deploy/cli/launch.js'), ...args, '--config', config];
  return await promisify(execFile)(process.execPath, all, { encoding: 'utf8', env: { ...process.env, ...env } });
}

test('penstock plan-table prints the DDL that a pipeline needs, typed by its schema', async () => {
  const { stdout } = await penstock(['plan-table', 'orders']);
  assert.equal(
    stdout,
    `CREATE TABLE IF NOT EXISTS \`Orders\` (
  \`Shard\` INT64 NOT NULL,
  \`OrderId\` STRING(MAX) NOT NULL,
  \`Version\` INT64,
  \`Amount\` NUMERIC,
  \`PlacedAt\` TIMESTAMP,
  \`Items\` ARRAY<STRING(MAX)>,
  \`Note\` STRING(MAX),
) PRIMARY KEY (\`Shard\`, \`OrderId\`);
`,
  );
  const totals = await penstock(['plan-table', 'totals']);
  assert.match(
    totals.stdout,
    /`Hour` TIMESTAMP NOT NULL,\n {2}`Orders` INT64,\n {2}`Revenue` NUMERIC,\n {2}`LastNote` STRING\(MAX\),\n {2}`LastVersion` INT64,\n\) PRIMARY KEY \(`Hour`\)/,
  );
});

test('penstock plan-table says which types are only guessed, and refuses a pipeline that is not declared', async () => {
  const { stdout } = await penstock(['plan-table', 'clicks', '--json']);
  const { tables } = JSON.parse(stdout);
  assert.deepEqual(tables[0].guessed, ['Page']);
  assert.match(tables[0].statement, /`ClickId` STRING\(MAX\) NOT NULL,\n {2}`Page` JSON,\n {2}`At` TIMESTAMP,/);
  await assert.rejects(penstock(['plan-table', 'nothing']), { code: 2 });
});

test('penstock migrate --tables creates what is missing, and what it creates fits its pipelines', async () => {
  const server = await openSpannerServer({});
  const env = { SPANNER_EMULATOR_HOST: server.address };
  const channel = openSpannerChannel(path, env);
  try {
    const first = JSON.parse((await penstock(['migrate', '--tables', '--json'], env)).stdout);
    const names = first.applied.flatMap(
      (statement: string) => /^CREATE TABLE IF NOT EXISTS `(\w+)`/.exec(statement)?.[1] ?? [],
    );
    assert.deepEqual(names, ['Orders', 'Totals', 'Clicks']);
    const again = JSON.parse((await penstock(['migrate', '--tables', '--json'], env)).stdout);
    assert.deepEqual(again.applied, []);
    const read = readDeclaration({
      file: config,
      text: declaration,
      env: {},
      sections: [],
      readBeside: () => schema,
    });
    const readTable = (table: string) => readTableSchema(channel, table);
    for (const pipeline of Object.values(read.declaration.pipelines)) {
      await openPipeline({ database: path, readTable }, pipeline);
    }
  } finally {
    channel.close();
    await server.close();
  }
});
