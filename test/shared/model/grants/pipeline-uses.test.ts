import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDeclaration } from '../../../../shared/model/config/read-declaration.ts';
import { compilePipeline } from '../../../../shared/model/events/compile-pipeline.ts';
import { readColumnType, type TableSchema } from '../../../../shared/model/events/tables/table-schema.ts';
import { loadFormats } from '../../../../shared/model/formats/decoder-of.ts';
import { pipelineUses } from '../../../../shared/model/grants/pipeline-uses.ts';

const column = (name: string, typeText: string) => ({
  name,
  typeText,
  type: readColumnType(typeText),
  notNull: false,
  hasDefault: false,
  generated: false,
  allowCommitTimestamp: false,
});
const orders: TableSchema = {
  name: 'Orders',
  columns: [column('Id', 'INT64'), column('Cents', 'INT64'), column('Version', 'INT64')],
  primaryKey: ['Id'],
  indexes: [],
};
await loadFormats([{ kind: 'json' }, undefined]);

function uses(settings: string) {
  const { declaration } = readDeclaration({
    file: 'penstock.yaml',
    text: `
spanner: { database: projects/p/instances/i/databases/d }
kafka: { brokers: "b:9092" }
pipelines:
  orders:
    source: { kafka: { topic: orders } }
    format: json
    table: Orders
    ${settings.replaceAll('\n', '\n    ')}
`,
    env: {},
    sections: [],
  });
  const pipeline = declaration.pipelines.orders;
  assert.ok(pipeline);
  return pipelineUses(compilePipeline(pipeline, new Map([['Orders', orders]])));
}

const all = ['Id', 'Cents', 'Version'];

test('pipelineUses() asks of each mode for what it does, and for no deletion where tombstones delete nothing', () => {
  const none = { table: 'Orders', select: [], insert: [], update: [], delete: false };
  const expected: Record<string, object> = {
    upsert: { insert: all, update: all },
    insert: { insert: all, select: ['Id'] },
    update: { update: all, select: ['Id'] },
    replace: { insert: all, delete: true },
    delete: { delete: true },
  };
  for (const [mode, wanted] of Object.entries(expected)) {
    assert.deepEqual(uses(`mode: ${mode}\ntombstones: ignore`), [{ ...none, ...wanted }], mode);
    assert.deepEqual(uses(`mode: ${mode}`), [{ ...none, ...wanted, delete: true }], mode);
  }
});

test('pipelineUses() reads the guard, and the versions of deleted rows', () => {
  const [table, versions] = uses('mode: upsert\nguard: Version');
  assert.deepEqual(table?.select, ['Id', 'Version']);
  assert.equal(versions?.table, 'PenstockDeletedVersions');
});

test('pipelineUses() reads and writes counters, and deletes no group', () => {
  const [table] = uses('mode: aggregate\ngroupBy: { Id: { field: id } }\naggregates: { Cents: { sum: cents } }');
  assert.deepEqual(table, {
    table: 'Orders',
    select: ['Id', 'Cents'],
    insert: ['Id', 'Cents'],
    update: ['Id', 'Cents'],
    delete: false,
  });
});

test('pipelineUses() asks for the whole table where columns are added while it runs', () => {
  const [table] = uses('mode: upsert\nonDrift: add-column');
  assert.deepEqual([table?.insert, table?.update, table?.select], ['all', 'all', []]);
});
