import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { openSpannerServer } from '../../../../deploy/local/spanner/server.ts';
import { connect, type OpenClient, objects, openClient } from './open-client.ts';

const SCHEMA = [
  'CREATE TABLE Airports (Code STRING(3), City STRING(MAX), Country STRING(2)) PRIMARY KEY (Code)',
  `CREATE TABLE Flights (
     Id INT64, Origin STRING(3), Destination STRING(3), City STRING(MAX), Country STRING(2), Previous INT64,
     CONSTRAINT FlightOrigin FOREIGN KEY (Origin) REFERENCES Airports (Code),
     FOREIGN KEY (Country, City) REFERENCES Airports (Country, City) ENFORCED,
     CONSTRAINT Informs FOREIGN KEY (Destination) REFERENCES Airports (Code) NOT ENFORCED,
     CONSTRAINT FlightPrevious FOREIGN KEY (Previous) REFERENCES Flights (Id) ON DELETE CASCADE,
   ) PRIMARY KEY (Id DESC)`,
  `CREATE TABLE Bags (
     Flight INT64, Bag INT64,
     CONSTRAINT BagFlight FOREIGN KEY (Flight) REFERENCES Flights (Id) ON DELETE CASCADE,
   ) PRIMARY KEY (Flight, Bag)`,
  `CREATE TABLE Tags (
     Tag INT64, Flight INT64, Bag INT64,
     CONSTRAINT TagBag FOREIGN KEY (Bag, Flight) REFERENCES Bags (Bag, Flight),
   ) PRIMARY KEY (Tag)`,
];
const VIOLATED = status.FAILED_PRECONDITION;
const REFERRED =
  /Foreign key constraint violation when deleting or updating referenced row\(s\): referencing row\(s\) found in table `Flights`\.$/;

let client: OpenClient;

before(async () => {
  client = await openClient(SCHEMA);
});

after(() => client.close());

beforeEach(async () => {
  const { database } = client;
  for (const table of ['Tags', 'Bags', 'Flights', 'Airports'])
    await database.table(table).deleteRows(await keysOf(table));
  await database.table('Airports').insert([
    { Code: 'ABQ', City: 'Albuquerque', Country: 'US' },
    { Code: 'ZRH', City: 'Zürich', Country: 'CH' },
  ]);
});

async function keysOf(table: string): Promise<string[][]> {
  const columns = { Tags: ['Tag'], Bags: ['Flight', 'Bag'], Flights: ['Id'], Airports: ['Code'] }[table] ?? [];
  const [rows] = await client.database.run(`SELECT ${columns.join(', ')} FROM ${table} ORDER BY ${columns.join(', ')}`);
  return objects(rows).map((row) => columns.map((column) => String((row as Record<string, unknown>)[column])));
}

async function change(statement: string): Promise<void> {
  const [operation] = await client.database.updateSchema(statement);
  await operation.promise();
}

test('a row needs the row that it refers to, unless a column is NULL or the key only informs', async () => {
  const table = client.database.table('Flights');
  await assert.rejects(table.insert({ Id: 1, Origin: 'ZZZ' }), {
    code: VIOLATED,
    message:
      /Foreign key constraint `FlightOrigin` is violated on table `Flights`\. Cannot find referenced values in Airports\(Code\)\.$/,
  });
  await assert.rejects(table.insert({ Id: 1, City: 'Zürich', Country: 'US' }), {
    code: VIOLATED,
    message:
      /constraint `FK_Flights_Airports_[0-9A-F]{16}_1` is violated on table `Flights`\. Cannot find referenced values in Airports\(Country, City\)\.$/,
  });
  await table.insert([
    { Id: 1, Origin: 'ABQ', Destination: 'ZZZ', City: null, Country: null },
    { Id: 2, Origin: null, Destination: null, City: 'Zürich', Country: 'CH' },
    { Id: 3, Origin: null, Destination: null, City: 'Nowhere', Country: null },
  ]);
  await assert.rejects(table.update({ Id: 1, Origin: 'YYY' }), { code: VIOLATED });
  assert.deepEqual(await keysOf('Flights'), [['1'], ['2'], ['3']]);
});

test('foreign keys are looked at when a commit ends: the order of its mutations does not matter', async () => {
  const { database } = client;
  await database.runTransactionAsync(async (transaction) => {
    transaction.insert('Flights', { Id: 1, Origin: 'NEW', Previous: 2 });
    transaction.insert('Flights', { Id: 2, Previous: 2 });
    transaction.insert('Airports', { Code: 'NEW' });
    await transaction.commit();
  });
  await database.runTransactionAsync(async (transaction) => {
    transaction.deleteRows('Airports', ['NEW']);
    transaction.update('Flights', { Id: 1, Origin: 'ABQ' });
    await transaction.commit();
  });
  assert.deepEqual(await keysOf('Airports'), [['ABQ'], ['ZRH']]);
  const swap = database.runTransactionAsync(async (transaction) => {
    transaction.insert('Flights', { Id: 9, Origin: 'ZRH' });
    transaction.deleteRows('Airports', ['ZRH']);
    await transaction.commit();
  });
  await assert.rejects(swap, { code: VIOLATED });
});

test('a row that others refer to is neither deleted nor changed under them', async () => {
  const { database } = client;
  await database.table('Flights').insert([
    { Id: 1, Origin: 'ABQ', City: null, Country: null },
    { Id: 2, Origin: null, City: 'Zürich', Country: 'CH' },
  ]);
  await assert.rejects(database.table('Airports').deleteRows(['ABQ']), { code: VIOLATED, message: REFERRED });
  await assert.rejects(database.table('Airports').update({ Code: 'ZRH', City: 'Genf' }), {
    code: VIOLATED,
    message: REFERRED,
  });
  await database.table('Airports').update({ Code: 'ABQ', City: 'Duke City' });
  await database.table('Airports').replace({ Code: 'ABQ', City: 'Albuquerque' });
  await database.table('Flights').update({ Id: 1, Origin: null });
  await database.table('Airports').deleteRows(['ABQ']);
  assert.deepEqual(await keysOf('Airports'), [['ZRH']]);
});

test('a row may take the place of one that others refer to, within one commit', async () => {
  const { database } = client;
  await database.table('Flights').insert({ Id: 2, City: 'Zürich', Country: 'CH' });
  await database.runTransactionAsync(async (transaction) => {
    transaction.deleteRows('Airports', ['ZRH']);
    transaction.insert('Airports', { Code: 'ZRX', City: 'Zürich', Country: 'CH' });
    await transaction.commit();
  });
  assert.deepEqual(await keysOf('Airports'), [['ABQ'], ['ZRX']]);
});

test('what is referred to is unique, NULLs apart', async () => {
  const table = client.database.table('Airports');
  await assert.rejects(table.insert({ Code: 'GVA', City: 'Zürich', Country: 'CH' }), { code: status.ALREADY_EXISTS });
  await table.insert([{ Code: 'AAA' }, { Code: 'BBB' }]);
});

test('ON DELETE CASCADE deletes along every chain, also through the table itself, and stops at NO ACTION', async () => {
  const { database } = client;
  await database.table('Flights').insert([
    { Id: 1, Previous: null },
    { Id: 2, Previous: 1 },
    { Id: 3, Previous: 2 },
    { Id: 4, Previous: 3 },
    { Id: 7, Previous: 4 },
    { Id: 5, Previous: null },
    { Id: 6, Previous: 6 },
  ]);
  await database.table('Bags').insert([
    { Flight: 3, Bag: 1 },
    { Flight: 3, Bag: 2 },
    { Flight: 5, Bag: 1 },
  ]);
  await database.runTransactionAsync(async (transaction) => {
    // Flight 4 is changed before the cascade comes to it.
    transaction.update('Flights', { Id: 4, Destination: 'ZRH' });
    transaction.deleteRows('Flights', ['1']);
    transaction.deleteRows('Flights', ['6']);
    await transaction.commit();
  });
  assert.deepEqual(await keysOf('Flights'), [['5']]);
  assert.deepEqual(await keysOf('Bags'), [['5', '1']]);
  await database.table('Tags').insert({ Tag: 1, Flight: 5, Bag: 1 });
  await assert.rejects(database.table('Flights').deleteRows(['5']), {
    code: VIOLATED,
    message: /referencing row\(s\) found in table `Tags`\.$/,
  });
  await database.table('Tags').deleteRows(['1']);
  const late = database.runTransactionAsync(async (transaction) => {
    transaction.deleteRows('Flights', ['5']);
    transaction.insert('Bags', { Flight: 5, Bag: 9 });
    await transaction.commit();
  });
  await assert.rejects(late, { code: VIOLATED, message: /Foreign key constraint .*`Bags`/ });
  assert.deepEqual(await keysOf('Bags'), [['5', '1']]);
});

test('transactions that race to delete and to refer never leave a row without what it refers to', async () => {
  const { database } = client;
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) =>
      i % 2 === 0
        ? database.table('Bags').upsert({ Flight: i % 4, Bag: i })
        : database.runTransactionAsync(async (transaction) => {
            transaction.upsert('Flights', { Id: (i >> 1) % 4 });
            transaction.deleteRows('Flights', [String(((i >> 1) + 2) % 4)]);
            await transaction.commit();
          }),
    ),
  );
  assert.ok(outcomes.filter(({ status: end }) => end === 'fulfilled').length >= 5);
  for (const outcome of outcomes) if (outcome.status === 'rejected') assert.equal(outcome.reason.code, VIOLATED);
  const [rows] = await database.run('SELECT Bag FROM Bags WHERE Flight NOT IN (SELECT Id FROM Flights)');
  assert.deepEqual(rows, []);
});

test('ALTER TABLE adds a foreign key only where every row fits, and drops it with its indexes', async () => {
  const { database } = client;
  await change('CREATE TABLE Gates (Gate INT64, Airport STRING(3)) PRIMARY KEY (Gate)');
  await database.table('Gates').insert([
    { Gate: 1, Airport: 'ABQ' },
    { Gate: 2, Airport: 'QQQ' },
  ]);
  const add = 'ALTER TABLE Gates ADD CONSTRAINT GateAirport FOREIGN KEY (Airport) REFERENCES Airports (Code)';
  await assert.rejects(change(add), { code: VIOLATED, message: /`GateAirport` is violated on table `Gates`/ });
  await database.table('Gates').update({ Gate: 2, Airport: 'ZRH' });
  await change(add);
  await assert.rejects(database.table('Airports').deleteRows(['ZRH']), { message: /found in table `Gates`/ });
  await assert.rejects(change('DROP TABLE Airports'), { code: VIOLATED, message: /refer to it: .*GateAirport/ });
  await assert.rejects(change('ALTER TABLE Gates DROP COLUMN Airport'), {
    message: /foreign keys use it: GateAirport/,
  });
  await change('ALTER TABLE Gates DROP CONSTRAINT GateAirport');
  const [indexes] = await database.run(
    "SELECT index_name FROM information_schema.indexes WHERE table_name = 'Gates' AND index_type = 'INDEX'",
  );
  assert.deepEqual(indexes, []);
  await database.table('Airports').deleteRows(['ZRH']);
  await change('DROP TABLE Gates');
});

test('a foreign key that cannot hold is refused by name', async () => {
  const columns = 'K INT64, S STRING(3), T STRING(3), C TIMESTAMP OPTIONS (allow_commit_timestamp = true), J JSON';
  const cases: readonly [string, status, RegExp][] = [
    ['FOREIGN KEY (K) REFERENCES Airports (Code)', VIOLATED, /needs columns of one type/],
    ['FOREIGN KEY (S) REFERENCES Nothing (Code)', status.NOT_FOUND, /Table not found: Nothing/],
    ['FOREIGN KEY (S) REFERENCES Airports (Nope)', status.NOT_FOUND, /Column not found in table Airports: Nope/],
    ['FOREIGN KEY (S, T) REFERENCES Airports (Code)', VIOLATED, /as many on both sides/],
    ['FOREIGN KEY (S, S) REFERENCES Airports (Code, City)', VIOLATED, /names column S twice/],
    ['FOREIGN KEY (C) REFERENCES Bad (C)', VIOLATED, /allow_commit_timestamp/],
    ['FOREIGN KEY (J) REFERENCES Bad (J)', VIOLATED, /cannot be compared/],
    ['FOREIGN KEY (S) REFERENCES Airports (Code) ON DELETE CASCADE NOT ENFORCED', VIOLATED, /NOT ENFORCED: it cannot/],
    [
      'FOREIGN KEY (S) REFERENCES Airports (Code) ON DELETE SET NULL',
      status.INVALID_ARGUMENT,
      /'CASCADE' or 'NO ACTION'/,
    ],
    ['CONSTRAINT FlightOrigin FOREIGN KEY (S) REFERENCES Airports (Code)', VIOLATED, /Duplicate name in schema/],
  ];
  for (const [constraint, code, message] of cases) {
    const statement = `CREATE TABLE Bad (${columns}, ${constraint}) PRIMARY KEY (K)`;
    await assert.rejects(client.database.updateSchema(statement), { code, message }, constraint);
  }
  await assert.rejects(
    client.database.updateSchema(
      'CREATE TABLE Old (K INT64, At2 TIMESTAMP, FOREIGN KEY (K) REFERENCES Old (K)) PRIMARY KEY (K), ROW DELETION POLICY (OLDER_THAN(At2, INTERVAL 1 DAY))',
    ),
    { code: VIOLATED, message: /cannot have a row deletion policy/ },
  );
});

test('INFORMATION_SCHEMA tells what refers to what', async () => {
  const [rows] = await client.database.run(
    `SELECT r.constraint_name, r.delete_rule, t.enforced, r.unique_constraint_name LIKE 'IDX_%' AS by_index,
       ARRAY(SELECT CONCAT(k.column_name, ' ', IFNULL(CAST(k.position_in_unique_constraint AS STRING), '-'))
             FROM information_schema.key_column_usage k WHERE k.constraint_name = r.constraint_name
             ORDER BY k.ordinal_position) AS columns,
       ARRAY(SELECT CONCAT(u.table_name, '.', u.column_name) FROM information_schema.constraint_column_usage u
             WHERE u.constraint_name = r.constraint_name ORDER BY 1) AS used
     FROM information_schema.referential_constraints r JOIN information_schema.table_constraints t USING (constraint_name)
     WHERE t.table_name = 'Flights' AND t.constraint_type = 'FOREIGN KEY' ORDER BY t.enforced, IFNULL(by_index, FALSE), r.constraint_name`,
  );
  const [informs, origin, previous, city] = objects(rows) as Record<string, unknown>[];
  assert.deepEqual(informs, {
    constraint_name: 'Informs',
    delete_rule: 'NO ACTION',
    enforced: 'NO',
    by_index: null,
    columns: ['Destination -'],
    used: ['Airports.Code'],
  });
  assert.deepEqual(
    [origin, previous].map((row) => [row?.constraint_name, row?.columns, row?.delete_rule, row?.by_index]),
    [
      ['FlightOrigin', ['Origin 1'], 'NO ACTION', false],
      ['FlightPrevious', ['Previous 1'], 'CASCADE', false],
    ],
  );
  assert.deepEqual(city?.used, ['Airports.City', 'Airports.Country']);
  assert.equal(city?.by_index, true);
});

test('foreign keys stand again after a restart, also those to tables that came later', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'spanner-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const first = await openClient(
    [
      'CREATE TABLE A (K INT64, B INT64) PRIMARY KEY (K)',
      'CREATE TABLE B (K INT64, A INT64, FOREIGN KEY (A) REFERENCES A (K)) PRIMARY KEY (K)',
    ],
    { dir },
  );
  let isOpen = true;
  t.after(() => (isOpen ? first.close() : undefined));
  const [operation] = await first.database.updateSchema('ALTER TABLE A ADD FOREIGN KEY (B) REFERENCES B (K)');
  await operation.promise();
  const [ddl] = await first.database.getSchema();
  assert.match(ddl[0] ?? '', /^CREATE TABLE A \(\n {2}K INT64,\n {2}B INT64,\n\) PRIMARY KEY\(K\)$/);
  assert.match(ddl[1] ?? '', /^ {2}FOREIGN KEY\(A\) REFERENCES A\(K\),$/m);
  assert.equal(ddl[2], 'ALTER TABLE A ADD FOREIGN KEY(B) REFERENCES B(K)');
  isOpen = false;
  await first.close();
  const server = await openSpannerServer({ dir });
  const spanner = connect(server.address);
  const database = spanner.instance('main').database('flights');
  try {
    await database.runTransactionAsync(async (transaction) => {
      transaction.insert('A', { K: 1, B: 1 });
      transaction.insert('B', { K: 1, A: 1 });
      await transaction.commit();
    });
    await assert.rejects(database.table('B').deleteRows(['1']), { code: VIOLATED });
    await assert.rejects(database.table('A').insert({ K: 2, B: 2 }), { code: VIOLATED });
  } finally {
    await database.close();
    spanner.close();
    await server.close();
  }
});
