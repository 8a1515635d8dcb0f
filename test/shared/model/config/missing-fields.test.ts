import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../../../shared/base/errors.ts';
import { readDeclaration } from '../../../../shared/model/config/read-declaration.ts';

/** The paths of what a declaration with this pipeline is refused for. */
function refusedFor(pipeline: string): string[] {
  const text = `
spanner: { database: projects/p/instances/main/databases/shop }
kafka: { brokers: "a:1" }
pipelines:
  raw: { source: { kafka: { topic: t } }, ${pipeline} }`;
  try {
    readDeclaration({ file: 'penstock.yaml', text, env: {}, sections: ['spanner', 'kafka', 'pipelines'] });
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(({ path }) => path.replace(/^.*pipelines\.raw\./, ''));
  }
}

test('readDeclaration() refuses fields of a format that has none, wherever they are asked for', () => {
  const others =
    'K: { key: true }, H: { header: h }, V: { record: value }, C: { constant: 1 }, B: { hashOf: [K], buckets: 4 }';
  assert.deepEqual(refusedFor(`format: bytes, table: T, mode: upsert, columns: { ${others} }`), []);
  assert.deepEqual(
    refusedFor(`format: bytes, table: T, mode: upsert, columns: { ${others}, F: { field: $ }, G: {} }`),
    ['columns.F', 'columns.G'],
  );
  assert.deepEqual(refusedFor('format: json, table: T, mode: upsert, columns: { K: { keyField: id } }'), ['columns.K']);
  assert.deepEqual(
    refusedFor('format: json, keyFormat: bytes, table: T, mode: upsert, columns: { K: { keyField: id } }'),
    ['columns.K'],
  );
  assert.deepEqual(
    refusedFor('format: bytes, keyFormat: json, table: T, mode: upsert, columns: { K: { keyField: id } }'),
    [],
  );
  const aggregates = 'aggregates: { N: { count: true }, S: { sum: a }, L: { last: a, by: v, version: W } }';
  assert.deepEqual(
    refusedFor(`format: bytes, table: T, mode: aggregate, groupBy: { K: { field: k } }, ${aggregates}`),
    ['groupBy.K', 'aggregates.S', 'aggregates.L'],
  );
});

test('readDeclaration() refuses routes that ask for fields which are not there', () => {
  const routes = `routes: [
    { when: { field: a, in: [x] }, table: A, columns: { K: { key: true } } },
    { when: { keyField: a, in: [x] }, table: B, columns: { F: { field: f } } },
    { when: { header: h, in: [x] }, table: C, columns: { K: { key: true } } }]`;
  assert.deepEqual(refusedFor(`format: bytes, mode: upsert, ${routes}`).toSorted(), [
    'routes.0.when',
    'routes.1.columns.F',
    'routes.1.when',
  ]);
});
