import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../../../shared/base/errors.ts';
import { readDeclaration } from '../../../../shared/model/config/read-declaration.ts';

function read(settings: string) {
  const text = `
spanner: { database: projects/p/instances/i/databases/d }
feeds:
  delays:
    transforms: { distance: { column: DistanceMiles, as: float32 } }
    ${settings}
`;
  const source = { file: 'penstock.yaml', text, env: {}, sections: ['spanner', 'feeds'] };
  return readDeclaration(source).declaration.feeds.delays;
}

test('readDeclaration() resolves a feed’s query and its key', () => {
  const feed = read('sql: "SELECT Origin, Id, DistanceMiles FROM Flights"\n    key: [Origin DESC, Id]');
  assert.equal(feed?.table, 'query');
  assert.deepEqual(feed?.sql, {
    text: 'SELECT Origin, Id, DistanceMiles FROM Flights',
    key: [
      { name: 'Origin', descending: true },
      { name: 'Id', descending: false },
    ],
  });
});

test('readDeclaration() names what a feed’s query lacks, or has too much of', () => {
  const sql = 'sql: "SELECT Id FROM Flights"';
  for (const [settings, path, said] of [
    ['seed: 1', 'table', /is missing/],
    ['table: Flights\n    key: [Id]', 'key', /is given for a table/],
    [`table: Flights\n    ${sql}\n    key: [Id]`, 'sql', /beside `table`/],
    [`${sql}`, 'key', /is missing/],
    [`${sql}\n    key: [Id, ID DESC]`, 'key', /names ID twice/],
    [`${sql}\n    key: [Id]\n    where: "TRUE"`, 'where', /beside `sql`/],
    [`${sql}\n    key: ["Id ASC"]`, 'key.0', /Id ASC/],
    [`${sql}\n    key: [Id]\n    read: { dataBoost: true }`, 'read.dataBoost', /beside `sql`/],
    ['sql: "SELECT Id FROM Flights LIMIT 5"\n    key: [Id]', 'sql', /has LIMIT/],
  ] as const) {
    assert.throws(
      () => read(settings),
      (error) =>
        error instanceof ConfigError &&
        error.problems.some((problem) => problem.path === `feeds.delays.${path}` && said.test(problem.message)),
      settings,
    );
  }
});
