import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyDdl } from '../../../../../deploy/local/spanner/ddl/apply.ts';
import { dataChecks } from '../../../../../deploy/local/spanner/ddl/data-checks.ts';
import { emptySchema } from '../../../../../deploy/local/spanner/ddl/empty-schema.ts';

test('dataChecks() asks for a look at the rows where a column becomes stricter, and only there', () => {
  const before = applyDdl(emptySchema, 'CREATE TABLE t (a INT64, b STRING(10), c BYTES(5)) PRIMARY KEY (a)');
  const checks = (statement: string) =>
    dataChecks(before, applyDdl(before, statement)).map(({ table, column, must }) => `${table}.${column.name} ${must}`);
  assert.deepEqual(checks('ALTER TABLE t ALTER COLUMN b STRING(10) NOT NULL'), ['t.b no-nulls']);
  assert.deepEqual(checks('ALTER TABLE t ALTER COLUMN b STRING(9)'), ['t.b fits']);
  assert.deepEqual(checks('ALTER TABLE t ALTER COLUMN b STRING(MAX)'), []);
  assert.deepEqual(checks('ALTER TABLE t ALTER COLUMN c STRING(5)'), ['t.c fits']);
  assert.deepEqual(checks('ALTER TABLE t ADD COLUMN d INT64 NOT NULL DEFAULT (1)'), []);
});
