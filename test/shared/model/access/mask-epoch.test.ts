import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hidesFailures, maskFit, sensitiveOfPlan } from '../../../../shared/model/access/mask-epoch.ts';
import type { Plan } from '../../../../shared/model/epochs/manifest.ts';
import type { FittedTransform } from '../../../../shared/model/tensors/fitted.ts';
import { guardedDeclaration } from './guarded-declaration.ts';

const declaration = guardedDeclaration('', { sensitive: { Passengers: ['Name', 'Age'], Ports: ['Town'] } });
const transforms: readonly FittedTransform[] = [
  { tensor: 'name', column: 'name', kind: 'vocabulary', unknown: 1, values: ['Lovelace'] },
  { tensor: 'age', column: 'Age', kind: 'normalise', method: 'min-max', offset: 36, scale: 1, fillNull: 36, count: 2 },
  { tensor: 'decade', column: 'Age', kind: 'bucket', bounds: [36], quantiles: 2, oneHot: false, fillNull: null },
  { tensor: 'grown', column: 'Age', kind: 'bucket', bounds: [18], quantiles: null, oneHot: false, fillNull: null },
  { tensor: 'town', column: 'port.Town', kind: 'vocabulary', unknown: 1, values: ['Lovelace'] },
  { tensor: 'deck', column: 'Deck', kind: 'vocabulary', unknown: 1, values: ['A', 'B'] },
  { tensor: 'weight', column: 'Age', kind: 'weight', classes: { greaterThan: null, weights: [[36, 1]] } },
];
const plan: Plan = {
  feed: 'faces',
  table: 'Passengers',
  columns: ['Id', 'Name', 'Age', 'Deck', 'port.Town'],
  key: [{ name: 'Id', code: 'STRING', descending: false }],
  join: [{ name: 'port', table: 'Ports', key: ['Id'], on: [{ column: 'PortId', equals: 'Id' }], types: {} }],
  transforms,
  split: null,
  seed: 0,
  batchRows: 8,
  batchesPerBlock: 8,
  cuts: [],
  versions: { node: '24', icu: '1', tz: '1' },
};
const hidden = (masked: readonly object[]) =>
  masked.flatMap((one) => ('learned' in one && 'tensor' in one ? [one.tensor] : []));

test('maskFit() leaves out all that was learned of sensitive columns, joined ones too, and nothing else', () => {
  const fit = maskFit(declaration, plan);
  assert.deepEqual(hidden(fit), ['name', 'age', 'decade', 'town', 'weight']);
  assert.doesNotMatch(JSON.stringify(fit), /Lovelace|36/);
  assert.deepEqual([fit[3], fit[5]], [transforms[3], transforms[5]]);
  assert.deepEqual(fit[0], { tensor: 'name', column: 'name', kind: 'vocabulary', learned: '(masked)' });
});

test('maskFit() leaves out all that was learned of a query that a sensitive column may be in, and nothing of others', () => {
  const sql = 'SELECT p.Id, CONCAT(p.Name, "") AS Deck FROM Passengers AS p';
  assert.deepEqual(hidden(maskFit(declaration, { ...plan, table: 'query', sql })).includes('deck'), true);
  const own = transforms.filter(({ tensor }) => tensor === 'deck');
  const other = { ...plan, table: 'query', columns: ['Id'], join: [], transforms: own, sql: 'SELECT Id FROM Decks' };
  assert.deepEqual(maskFit(declaration, other), own);
});

test('sensitiveOfPlan() names what a plan reads of sensitive columns, and no plain ones', () => {
  const names = sensitiveOfPlan(declaration, plan).map(({ name }) => name);
  assert.deepEqual(names, ['Passengers.Name', 'Passengers.Age', 'Ports.Town']);
});

test('hidesFailures() hides those of feeds that read a sensitive column or are declared no more', () => {
  assert.equal(hidesFailures(declaration, 'faces'), true);
  assert.equal(hidesFailures(guardedDeclaration('', { sensitive: { Passengers: ['Name'] } }), 'faces'), false);
  assert.equal(hidesFailures(guardedDeclaration('', { sensitive: { Passengers: ['Name'] } }), 'gone'), true);
  assert.equal(hidesFailures(guardedDeclaration('', { sensitive: {} }), 'gone'), false);
});
