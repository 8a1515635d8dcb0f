import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openSchemaRegistryServer } from '../../../../../deploy/local/schema-registry/server.ts';
import { openSchemaRegistry, type SchemaRegistry } from '../../../../../shared/adapters/registry/schema-registry.ts';
import { openPipeline, tablesChanged } from '../../../../../shared/adapters/spanner/ingest/open-pipeline.ts';
import type { ColumnSource, Pipeline } from '../../../../../shared/model/config/declaration.ts';
import type { TableSchema } from '../../../../../shared/model/events/tables/table-schema.ts';
import { plainPipeline } from '../../../model/config/plain-pipeline.ts';
import { column, field, table } from '../../../model/events/pipeline-fixture.ts';

const id = column('Id', 'STRING(9)', { notNull: true });

/** Tables in memory; a column that is added is remembered by its DDL and there afterwards. */
function memoryDatabase(schema: TableSchema) {
  const statements: string[] = [];
  let held = schema;
  return {
    statements,
    database: 'd',
    readTable: async () => held,
    changeSchema: async (changes: readonly string[]) => {
      statements.push(...changes);
      const added = changes.map((change) => {
        const [, name = '', type = ''] = /EXISTS `(\w+)` (.+)$/.exec(change) ?? [];
        return column(name, type);
      });
      held = { ...held, columns: [...held.columns, ...added] };
    },
  };
}

async function openRegistry(
  t: TestContext,
): Promise<{ register: (...fields: object[]) => Promise<void>; client: SchemaRegistry }> {
  const server = await openSchemaRegistryServer();
  t.after(() => server.close());
  const client = openSchemaRegistry({ url: server.url, authorize: async () => undefined, firstDelayMs: 1 });
  t.after(() => client.close());
  const register = async (...fields: object[]): Promise<void> => {
    const schema = JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'id', type: 'string' }, ...fields] });
    const answer = await fetch(`${server.url}/subjects/t-value/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ schema }),
    });
    assert.equal(answer.status, 200);
  };
  return { register, client };
}

function pipelineOf(onDrift: Pipeline['onDrift'], ...columns: ColumnSource[]): Pipeline {
  const format = { kind: 'avro', schema: { kind: 'registry' } } as const;
  return plainPipeline({ columns: [field('Id', 'id'), ...columns], pipeline: { format, onDrift } });
}

const count = { name: 'n', type: 'long' };

test('openPipeline() adds columns of the types that the registry tells', async (t) => {
  const { register, client } = await openRegistry(t);
  await register(count, { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } });
  const database = memoryDatabase(table([id]));
  await openPipeline(database, pipelineOf('add-column', field('N', 'n'), field('At', 'at')), client);
  assert.deepEqual(database.statements, [
    'ALTER TABLE `T` ADD COLUMN IF NOT EXISTS `N` INT64',
    'ALTER TABLE `T` ADD COLUMN IF NOT EXISTS `At` TIMESTAMP',
  ]);
});

test('openPipeline() compares columns with the newest registered schema', async (t) => {
  const { register, client } = await openRegistry(t);
  await register({ name: 'n', type: 'boolean' });
  const database = memoryDatabase(table([id, column('N', 'INT64')]));
  const refused = openPipeline(database, pipelineOf('refuse', field('N', 'n')), client);
  await assert.rejects(refused, { code: 'CONFIG', message: /columns\.N: field n holds BOOL, and the column is INT64/ });
});

test('tablesChanged() sees a new version of the registered schema, and a table that changed', async (t) => {
  const { register, client } = await openRegistry(t);
  await register(count);
  const database = memoryDatabase(table([id, column('N', 'INT64')]));
  const compiled = await openPipeline(database, pipelineOf('refuse', field('N', 'n')), client);
  assert.equal(await tablesChanged(database, compiled), false);
  await register(count, { name: 'more', type: 'string', default: '' });
  assert.equal(await tablesChanged(database, compiled), true);
  const again = await openPipeline(database, pipelineOf('refuse', field('N', 'n')), client);
  assert.equal(await tablesChanged(database, again), false);
  await database.changeSchema(['ALTER TABLE `T` ADD COLUMN IF NOT EXISTS `New` INT64']);
  assert.equal(await tablesChanged(database, again), true);
});

test('openPipeline() guesses no type while the registry is down, and opens where nothing is missing', async () => {
  const down = openSchemaRegistry({
    url: 'http://127.0.0.1:9',
    authorize: async () => undefined,
    timeoutMs: 500,
    firstDelayMs: 1,
  });
  try {
    const lacking = memoryDatabase(table([id]));
    const adding = openPipeline(lacking, pipelineOf('add-column', field('N', 'n')), down);
    await assert.rejects(adding, { code: 'REGISTRY_UNAVAILABLE', retryable: true });
    assert.deepEqual(lacking.statements, []);
    const complete = memoryDatabase(table([id, column('N', 'INT64')]));
    const compiled = await openPipeline(complete, pipelineOf('add-column', field('N', 'n')), down);
    assert.equal(await tablesChanged(complete, compiled), false);
  } finally {
    down.close();
  }
});

test('openPipeline() opens a pipeline whose topic has no schema yet', async (t) => {
  const { client } = await openRegistry(t);
  const compiled = await openPipeline(memoryDatabase(table([id])), pipelineOf('refuse'), client);
  assert.equal(compiled.targets.length, 1);
});
