import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queryUses, spelled } from '../../../../shared/model/grants/query-uses.ts';

const columns = new Map([
  ['Orders', ['OrderId', 'Cents', 'Region', 'CardNumber']],
  ['Regions', ['Region', 'Name']],
]);

test('queryUses() names the columns that a query uses wherever they stand, and no others', () => {
  const sql = `SELECT o.OrderId, SUM(cents) AS Total FROM orders AS o JOIN Regions r ON o.region = r.Region
    WHERE r.Name != 'CardNumber'
    GROUP BY 1`;
  assert.deepEqual(queryUses(sql, columns), [
    { table: 'Orders', select: ['OrderId', 'Cents', 'Region'] },
    { table: 'Regions', select: ['Region', 'Name'] },
  ]);
});

test('queryUses() takes a star for all columns, and a product for none', () => {
  for (const sql of [
    'SELECT * FROM Orders',
    'SELECT DISTINCT * FROM Orders',
    'SELECT 1, o.* FROM Orders o',
    'SELECT OrderId, * FROM Orders',
  ]) {
    assert.deepEqual(queryUses(sql, columns), [{ table: 'Orders', select: columns.get('Orders') }], sql);
  }
  assert.deepEqual(queryUses('SELECT Cents * 2 FROM Orders', columns), [{ table: 'Orders', select: ['Cents'] }]);
});

test('queryUses() grants one column where rows are only counted', () => {
  assert.deepEqual(queryUses('SELECT COUNT(*) FROM Regions', columns), [{ table: 'Regions', select: ['Region'] }]);
});

test('spelled() writes names as the database does', () => {
  const use = { table: 'orders', select: ['CENTS', 'orderid'], delete: true };
  assert.deepEqual(spelled(use, columns), { table: 'Orders', select: ['OrderId', 'Cents'], delete: true });
});
