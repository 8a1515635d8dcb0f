import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../../../shared/base/errors.ts';
import { readDeclaration } from '../../../../shared/model/config/read-declaration.ts';

function read(settings: string) {
  const text = `
spanner: { database: projects/p/instances/i/databases/d }
feeds:
  delays:
    table: Flights
    transforms: { distance: { column: DistanceMiles, as: float32 } }
    ${settings}
`;
  return readDeclaration({ file: 'penstock.yaml', text, env: {}, sections: ['spanner', 'feeds'] }).declaration;
}

test('a feed’s condition and read options come through as they are written', () => {
  const feed = read(
    'where: "Delay > 0"\n    read: { priority: high, tag: late, replicas: { exclude: [{ location: us-east1 }] } }',
  ).feeds.delays;
  assert.equal(feed?.where, 'Delay > 0');
  assert.deepEqual(feed?.read, { priority: 'high', tag: 'late', replicas: { exclude: [{ location: 'us-east1' }] } });
  assert.equal(read('seed: 1').feeds.delays?.read, undefined);
  assert.deepEqual(read('read: { dataBoost: true }').feeds.delays?.read, { dataBoost: true });
  assert.deepEqual(read('read: { dataBoost: false }').feeds.delays?.read, {});
});

test('a condition that reaches out, options that say nothing, and what no feed can do are refused by their paths', () => {
  for (const [settings, path] of [
    ['where: "TRUE) OR (TRUE"', 'feeds.delays.where'],
    ['where: "RAND() < 0.1"', 'feeds.delays.where'],
    ['read: { replicas: { include: [{}] } }', 'feeds.delays.read.replicas'],
    ['read: { dataBoost: true, replicas: { include: [{ type: read-only }] } }', 'feeds.delays.read.replicas'],
    ['read: { dataBoost: 1 }', 'feeds.delays.read.dataBoost'],
  ] as const) {
    assert.throws(
      () => read(settings),
      (error) => error instanceof ConfigError && error.problems.some((problem) => problem.path.startsWith(path)),
      settings,
    );
  }
});
