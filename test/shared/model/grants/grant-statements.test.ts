import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type ExistingRoles,
  grantStatements,
  noRoles,
  type Privilege,
  type RoleGrants,
} from '../../../../shared/model/grants/grant-statements.ts';
import { joinUses, type TableUse } from '../../../../shared/model/grants/table-grants.ts';

const reader: RoleGrants = {
  role: 'reader',
  inherits: ['spanner_info_reader'],
  grants: joinUses([
    { table: 'Orders', select: ['Order', 'Cents'], delete: true },
    { table: 'Orders', select: ['Cents'], update: ['Cents'] },
    { table: 'Areas', insert: 'all' },
  ]),
};

test('grantStatements() creates roles, then grants what they need, by table and column', () => {
  assert.deepEqual(grantStatements([reader]), [
    'CREATE ROLE reader',
    'GRANT ROLE spanner_info_reader TO ROLE reader',
    'GRANT INSERT ON TABLE Areas TO ROLE reader',
    'GRANT SELECT(Cents, `Order`), UPDATE(Cents), DELETE ON TABLE Orders TO ROLE reader',
  ]);
});

const columns = ['A', 'B', 'C'] as const;
const uses = fc.array(
  fc.record({
    table: fc.constantFrom('T', 'U'),
    select: fc.oneof(fc.constant('all' as const), fc.subarray([...columns])),
    insert: fc.subarray([...columns]),
    update: fc.oneof(fc.constant('all' as const), fc.subarray([...columns])),
    delete: fc.boolean(),
  }),
  { maxLength: 4 },
);
const roles = fc.tuple(uses, fc.subarray(['p', 'q'])).map(([of, inherits]: [TableUse[], string[]]) => ({
  role: 'r',
  inherits,
  grants: joinUses(of),
}));

/** What a database has after these statements: a reading of DDL that knows nothing of how it is made. */
function run(statements: readonly string[], before: ExistingRoles): ExistingRoles {
  const known = new Set(before.roles);
  const members = new Set(before.members.map(({ inherits }) => inherits));
  const held = new Set(
    before.privileges.map(({ table, privilege, column }) => `${table} ${privilege} ${column ?? ''}`),
  );
  for (const statement of statements) {
    const [verb = '', what = ''] = /^(\w+) (.*) (?:TO|FROM) ROLE r$/.exec(statement)?.slice(1) ?? [];
    if (statement === 'CREATE ROLE r') known.add('r');
    else if (what.startsWith('ROLE ')) {
      if (verb === 'GRANT') members.add(what.slice(5));
      else assert.ok(members.delete(what.slice(5)));
    } else {
      const [, list = '', table = ''] = /^(.*) ON TABLE (\w+)$/.exec(what) ?? [];
      for (const [, privilege = '', named] of list.matchAll(/(\w+)(?:\(([^)]*)\))?(?:, |$)/g)) {
        for (const column of named?.split(', ') ?? ['']) {
          const entry = `${table} ${privilege} ${column}`;
          if (verb === 'GRANT') held.add(entry);
          else assert.ok(held.delete(entry), `${entry} was revoked, and nobody had it`);
        }
      }
    }
  }
  const privileges = [...held].map((entry) => {
    const [table = '', privilege = '', column = ''] = entry.split(' ');
    return { role: 'r', table, privilege: privilege as Privilege, column: column === '' ? undefined : column };
  });
  return { roles: known, members: [...members].map((inherits) => ({ role: 'r', inherits })), privileges };
}

test('grantStatements() brings any roles to the wanted ones, and then has nothing to do', () => {
  fc.assert(
    fc.property(roles, roles, (first, second) => {
      const before = run(grantStatements([first]), noRoles);
      const after = run(grantStatements([second], before), before);
      assert.deepEqual(grantStatements([second], after), []);
      const scratch = run(grantStatements([second]), noRoles);
      const sorted = ({ privileges }: ExistingRoles) => privileges.map((one) => JSON.stringify(one)).sort();
      assert.deepEqual(sorted(after), sorted(scratch));
    }),
  );
});

test('grantStatements() revokes nothing before all that is needed is granted', () => {
  fc.assert(
    fc.property(roles, roles, (first, second) => {
      const verbs = grantStatements([second], run(grantStatements([first]), noRoles)).map((one) => one.split(' ')[0]);
      assert.ok(!verbs.slice(verbs.indexOf('REVOKE')).includes('GRANT') || !verbs.includes('REVOKE'));
    }),
  );
});
