import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../../../shared/base/errors.ts';
import { readDeclaration } from '../../../../shared/model/config/read-declaration.ts';

function read(join: string, column = 'airports.Latitude', more = '') {
  const text = `
spanner: { database: projects/p/instances/i/databases/d }
feeds:
  delays:
    table: Flights
    join: ${join}
    transforms: { latitude: { column: ${column}, as: float32, fillNull: 0 } }
    ${more}
`;
  const source = { file: 'penstock.yaml', text, env: {}, sections: ['spanner', 'feeds'] };
  return readDeclaration(source).declaration.feeds.delays;
}

test('readDeclaration() resolves what a feed joins, by which columns, and whose columns stand where a column may', () => {
  const feed = read(
    '{ airports: { table: Airports, on: { Origin: Iata } } }',
    'airports.Latitude',
    'label: { column: airports.Rank }',
  );
  assert.deepEqual(feed?.join, [{ name: 'airports', table: 'Airports', on: [{ column: 'Origin', equals: 'Iata' }] }]);
  assert.equal(feed?.label?.column, 'airports.Rank');
  assert.equal(feed?.transforms[0]?.column, 'airports.Latitude');
});

test('readDeclaration() names every mistake of a join', () => {
  const nine = Array.from({ length: 9 }, (_, at) => `a${at}: { table: T, on: { A: B } }`).join(', ');
  for (const [join, column, path, said] of [
    [
      '{ airports: { table: Airports, on: { Origin: Iata } } }',
      'ports.Latitude',
      'transforms.latitude.column',
      /nothing is joined as ports/,
    ],
    ['{ airports: { table: Airports, on: { Origin: Iata } } }', 'Latitude', 'join.airports', /no column of it is used/],
    ['{ airports: { table: Airports, on: {} } }', 'airports.Latitude', 'join.airports.on', /is empty/],
    ['{ airports: { table: Airports } }', 'airports.Latitude', 'join.airports.on', /is missing/],
    ['{ a.b: { table: Airports, on: { Origin: Iata } } }', 'airports.Latitude', 'join.a.b', /./],
    [`{ ${nine} }`, 'a0.X', 'join', /9 tables, more than 8/],
    ['{ a: { table: T, on: { A: B } }, A: { table: T, on: { A: B } } }', 'a.X', 'join.A', /capitals alone/],
  ] as const) {
    assert.throws(
      () => read(join, column),
      (error) =>
        error instanceof ConfigError &&
        error.problems.some((problem) => problem.path === `feeds.delays.${path}` && said.test(problem.message)),
      join,
    );
  }
});
