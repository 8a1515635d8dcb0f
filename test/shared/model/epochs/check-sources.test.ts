import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findOtherSource } from '../../../../shared/model/epochs/check-sources.ts';

const others = [
  { name: 'OpenOrders', kind: 'VIEW' },
  { name: 'Bills', kind: 'SYNONYM' },
];
const found = (table: string, sql?: string, joined: readonly string[] = []) =>
  findOtherSource({ table, sql, joined }, others)?.name;

test('findOtherSource() finds a view or synonym in place of a table, wherever one stands', () => {
  assert.equal(found('openorders'), 'OpenOrders');
  assert.equal(found('Orders', undefined, ['Bills']), 'Bills');
  for (const sql of [
    'SELECT Id FROM OpenOrders',
    'SELECT o.Id FROM Orders AS o, `openorders` AS v',
    'SELECT Id FROM Orders WHERE Id IN (SELECT v.Id FROM OpenOrders AS v)',
    'WITH OpenOrders AS (SELECT * FROM OpenOrders) SELECT Id FROM OpenOrders',
  ]) {
    assert.equal(found('query', sql), 'OpenOrders', sql);
  }
});

test('findOtherSource() lets tables pass, and columns that are called as a view is', () => {
  assert.equal(found('Orders', undefined, ['Regions']), undefined);
  assert.equal(found('query', "SELECT Bills, o.OpenOrders AS Bills, 'Bills' AS t FROM Orders AS o"), undefined);
});
