import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { applyDdl } from '../../../../../deploy/local/spanner/ddl/apply.ts';
import { emptySchema } from '../../../../../deploy/local/spanner/ddl/empty-schema.ts';
import { printDdl } from '../../../../../deploy/local/spanner/ddl/print.ts';
import { requireSelect } from '../../../../../deploy/local/spanner/engine/privileges.ts';
import type { Schema } from '../../../../../deploy/local/spanner/schema.ts';

const tables = [
  'CREATE TABLE Staff (Id INT64, Name STRING(9), Pay INT64, Twice INT64 AS (Pay * 2) STORED) PRIMARY KEY(Id)',
  'CREATE TABLE Rooms (Id INT64, Name STRING(9)) PRIMARY KEY(Id)',
];
const base = [...tables, 'CREATE ROLE hr', 'CREATE ROLE lead'].reduce(applyDdl, emptySchema);

function refuses(schema: Schema, statement: string, code: status, message: RegExp): void {
  assert.throws(
    () => applyDdl(schema, statement),
    (error) => {
      assert.ok(error instanceof Error && 'code' in error);
      assert.equal(error.code, code, `${statement}: ${error.message}`);
      assert.match(error.message, message);
      return true;
    },
  );
}

function reads(schema: Schema, role: string, columns: readonly string[]): boolean {
  const table = schema.tables.get('staff');
  assert.ok(table);
  try {
    requireSelect(schema, role, table, columns);
    return true;
  } catch {
    return false;
  }
}

test('GRANT and REVOKE hold on tables and on columns, each by itself', () => {
  const granted = applyDdl(base, 'GRANT SELECT(Id, Name), UPDATE(Name), DELETE ON TABLE Staff TO ROLE hr, lead');
  assert.deepEqual([reads(granted, 'hr', ['Id', 'name']), reads(granted, 'lead', ['Pay'])], [true, false]);
  const whole = applyDdl(granted, 'GRANT SELECT ON TABLE Staff TO ROLE hr');
  assert.ok(reads(whole, 'hr', ['Pay']));
  const column = applyDdl(whole, 'REVOKE SELECT(Name) ON TABLE Staff FROM ROLE hr');
  assert.ok(reads(column, 'hr', ['Name']), 'a column is not taken out of a grant of the whole table');
  const revoked = applyDdl(column, 'REVOKE SELECT ON TABLE Staff FROM ROLE hr');
  assert.deepEqual([reads(revoked, 'hr', ['Id']), reads(revoked, 'hr', ['Name'])], [true, false]);
});

test('a grant of the whole table covers columns that come later, one of columns does not', () => {
  const granted = ['GRANT SELECT ON TABLE Staff TO ROLE hr', 'GRANT SELECT(Id) ON TABLE Staff TO ROLE lead'];
  const later = [...granted, 'ALTER TABLE Staff ADD COLUMN Since DATE'].reduce(applyDdl, base);
  assert.deepEqual([reads(later, 'hr', ['Since']), reads(later, 'lead', ['Since'])], [true, false]);
});

test('roles inherit through others and from public, until they are revoked or dropped', () => {
  const granted = [
    'CREATE ROLE boss',
    'GRANT SELECT(Id) ON TABLE Staff TO ROLE public',
    'GRANT SELECT(Pay) ON TABLE Staff TO ROLE hr',
    'GRANT ROLE hr TO ROLE lead',
    'GRANT ROLE lead TO ROLE boss',
  ].reduce(applyDdl, base);
  assert.ok(reads(granted, 'boss', ['Id', 'Pay']));
  const revoked = applyDdl(granted, 'REVOKE ROLE hr FROM ROLE lead');
  assert.deepEqual([reads(revoked, 'boss', ['Pay']), reads(revoked, 'boss', ['Id'])], [false, true]);
  const dropped = applyDdl(granted, 'DROP ROLE lead');
  assert.ok(!reads(dropped, 'boss', ['Pay']));
});

test('rows are counted by a role that may read any one column', () => {
  const granted = applyDdl(base, 'GRANT SELECT(Name) ON TABLE Staff TO ROLE hr');
  assert.deepEqual([reads(granted, 'hr', []), reads(granted, 'lead', [])], [true, false]);
});

test('roles and grants are refused where Spanner refuses them', () => {
  const granted = applyDdl(base, 'GRANT SELECT(Pay) ON TABLE Staff TO ROLE hr');
  const failed = status.FAILED_PRECONDITION;
  refuses(base, 'CREATE ROLE HR', failed, /Duplicate name/);
  refuses(base, 'CREATE ROLE public', failed, /reserved/);
  refuses(base, 'CREATE ROLE spanner_mine', failed, /reserved/);
  refuses(base, 'DROP ROLE public', failed, /system role/);
  refuses(base, 'DROP ROLE nobody', status.NOT_FOUND, /Role not found: nobody/);
  refuses(granted, 'DROP ROLE hr', failed, /has privileges on Staff/);
  refuses(granted, 'DROP TABLE Staff', failed, /role hr has privileges/);
  refuses(granted, 'ALTER TABLE Staff DROP COLUMN Pay', failed, /role hr has privileges/);
  refuses(base, 'GRANT ROLE public TO ROLE hr', failed, /every role has it/);
  refuses(base, 'GRANT ROLE hr TO ROLE spanner_info_reader', failed, /System role/);
  refuses(applyDdl(base, 'GRANT ROLE hr TO ROLE lead'), 'GRANT ROLE lead TO ROLE hr', failed, /is a member/);
  refuses(base, 'GRANT SELECT ON TABLE Staff TO ROLE spanner_sys_reader', failed, /system role/);
  refuses(base, 'GRANT SELECT ON TABLE staff TO ROLE hr', status.NOT_FOUND, /Table not found: staff/);
  refuses(base, 'GRANT SELECT(pay) ON TABLE Staff TO ROLE hr', status.NOT_FOUND, /Column not found/);
  refuses(base, 'GRANT SELECT(Pay) ON TABLE Staff, Rooms TO ROLE hr', status.NOT_FOUND, /in table Rooms/);
  refuses(base, 'GRANT UPDATE(Twice) ON TABLE Staff TO ROLE hr', failed, /generated column/);
  refuses(base, 'GRANT DELETE(Id) ON TABLE Staff TO ROLE hr', status.INVALID_ARGUMENT, /on columns/);
  refuses(base, 'GRANT ON TABLE Staff TO ROLE hr', status.INVALID_ARGUMENT, /Expecting 'SELECT'/);
});

test('printDdl() writes roles and grants that make the same again, whatever was granted and revoked', () => {
  const role = fc.constantFrom('hr', 'lead', 'public');
  const list = fc.constantFrom('SELECT', 'SELECT(Id, Name)', 'INSERT(Name)', 'UPDATE', 'DELETE', 'SELECT(Id), DELETE');
  const table = fc.constantFrom('Staff', 'Rooms', 'Staff, Rooms');
  const statement = fc.oneof(
    fc.tuple(list, table, role).map(([what, on, to]) => `GRANT ${what} ON TABLE ${on} TO ROLE ${to}`),
    fc.tuple(list, table, role).map(([what, on, from]) => `REVOKE ${what} ON TABLE ${on} FROM ROLE ${from}`),
    fc.constantFrom('GRANT ROLE hr TO ROLE lead', 'GRANT ROLE spanner_info_reader TO ROLE hr'),
  );
  fc.assert(
    fc.property(fc.array(statement, { maxLength: 12 }), (statements) => {
      const schema = statements.reduce((before, one) => {
        return one.startsWith('GRANT ROLE hr') && before.roles.get('lead')?.memberOf.has('hr')
          ? before
          : applyDdl(before, one);
      }, base);
      assert.deepEqual(printDdl(schema).reduce(applyDdl, emptySchema), schema);
    }),
  );
});
