import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDeclaration } from '../../../../../shared/model/config/read-declaration.ts';
import { pipelineVersion } from '../../../../../shared/model/events/records/pipeline-version.ts';

function version(columns: string): string {
  const text = `
spanner: { database: projects/p/instances/i/databases/d }
kafka: { brokers: "b:1" }
pipelines:
  orders: { ${columns}, source: { kafka: { topic: orders } }, format: json, table: Orders, mode: upsert }
`;
  const { declaration } = readDeclaration({ file: 'f', text, env: {}, sections: [] });
  assert.ok(declaration.pipelines.orders);
  return pipelineVersion(declaration.pipelines.orders);
}

test('pipelineVersion() is 16 hex digits, the same for the same pipeline', () => {
  const columns = 'columns: { OrderId: { key: true } }';
  assert.match(version(columns), /^[0-9a-f]{16}$/);
  assert.equal(version(columns), version(columns));
});

test('pipelineVersion() is the same for a declaration that travelled as JSON, with its settings in another order', () => {
  const text = `
spanner: { database: projects/p/instances/i/databases/d }
kafka: { brokers: "b:1" }
pipelines: { orders: { source: { kafka: { topic: orders } }, format: json, table: Orders, mode: upsert, columns: { Id: { key: true } } } }
`;
  const { declaration } = readDeclaration({ file: 'f', text, env: {}, sections: [] });
  const { orders } = declaration.pipelines;
  assert.ok(orders);
  const travelled: typeof orders = JSON.parse(JSON.stringify(Object.fromEntries(Object.entries(orders).reverse())));
  assert.equal(pipelineVersion(travelled), pipelineVersion(orders));
});

test('pipelineVersion() changes with what a column comes from', () => {
  assert.notEqual(version('columns: { OrderId: { key: true } }'), version('columns: { OrderId: { field: id } }'));
});
