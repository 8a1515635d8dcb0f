import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openSpannerServer, type SpannerServer } from '../../../../deploy/local/spanner/server.ts';
import { openDatabase } from '../../../../shared/adapters/spanner/open-database.ts';
import { columnsRead } from '../../../../shared/model/access/access-entities.ts';
import { checkQuery } from '../../../../shared/model/epochs/check-query.ts';
import { grantStatements, type RoleGrants } from '../../../../shared/model/grants/grant-statements.ts';
import { queryUses } from '../../../../shared/model/grants/query-uses.ts';
import { joinUses } from '../../../../shared/model/grants/table-grants.ts';
import { openTestDatabase, type TestDatabase } from '../../adapters/spanner/test-database.ts';
import { queryColumns, queryGrants, queryTables } from './query-grants.ts';

const card = 'Orders.CardNumber';
let server: SpannerServer;
let opened: TestDatabase;
before(async () => {
  server = await openSpannerServer();
  for (const { sql } of queryGrants) {
    roleFor(uses(sql));
    for (const { less } of without(sql)) roleFor(less);
  }
  opened = await openTestDatabase(server.address, [...queryTables, ...grantStatements([...roles.values()])]);
});
const clients = new Map<string, ReturnType<typeof openDatabase>>();
after(async () => {
  for (const client of clients.values()) await client.close();
  await opened?.close();
  await server?.close();
});

/** Columns of a table, of which all are named. */
interface Reads {
  readonly table: string;
  readonly select: readonly string[];
}

function uses(sql: string): Reads[] {
  return queryUses(sql, queryColumns).map(({ table, select }) => ({ table, select: [select ?? []].flat() }));
}

/** What is granted, short of each column in turn. */
function without(sql: string): { readonly column: string; readonly less: Reads[] }[] {
  const granted = uses(sql);
  return granted.flatMap((of) =>
    of.select.map((name) => {
      const kept = { table: of.table, select: of.select.filter((column) => column !== name) };
      return { column: `${of.table}.${name}`, less: granted.map((use) => (use === of ? kept : use)) };
    }),
  );
}

/** Roles by what they are granted: a database has 100 at most. */
const roles = new Map<string, RoleGrants>();
function roleFor(granted: readonly Reads[]): string {
  const grants = joinUses(granted);
  const key = JSON.stringify(grants);
  const role = roles.get(key) ?? { role: `reads${roles.size}`, inherits: [], grants };
  roles.set(key, role);
  return role.role;
}

/** As an epoch of the feed asks it. */
async function ask(sql: string, role: string): Promise<void> {
  const database = clients.get(role) ?? openDatabase(opened.name, role);
  clients.set(role, database);
  await database.database.run({ sql: `SELECT * FROM (${sql}\n)` });
}

test('queryUses() grants each query what it uses, and whole rows as all columns', () => {
  for (const { sql, select } of queryGrants) {
    assert.equal(checkQuery(sql), undefined, sql);
    const wanted = Object.entries(select).map(([table, columns]) => ({
      table,
      select: columns === 'all' ? (queryColumns.get(table) ?? []) : columns,
    }));
    assert.deepEqual(joinUses(uses(sql)), joinUses(wanted), sql);
  }
});

test('each query is answered under the role that is made for it', async () => {
  for (const { sql } of queryGrants) await assert.doesNotReject(ask(sql, roleFor(uses(sql))), sql);
});

test('each query is refused without any one of its columns, but for what cannot be told apart', async () => {
  for (const { sql, spare } of queryGrants) {
    for (const { column, less } of without(sql)) {
      const work = ask(sql, roleFor(less));
      if (spare?.includes(column)) await assert.doesNotReject(work, `${sql} without ${column}`);
      else await assert.rejects(work, { code: 7 }, `${sql} without ${column}`);
    }
  }
});

test('columnsRead() asks for the sensitive column wherever the role may read it', () => {
  const access = { groups: {}, policies: '', issuers: [], sensitive: { Orders: ['CardNumber'] } };
  for (const { sql } of queryGrants) {
    const isGranted = uses(sql).some(({ table, select }) => table === 'Orders' && select.includes('CardNumber'));
    const asked = columnsRead({ access }, { table: 'query', columns: ['OrderId'], sql }).map(({ name }) => name);
    if (isGranted) assert.ok(asked.includes(card), sql);
  }
});
