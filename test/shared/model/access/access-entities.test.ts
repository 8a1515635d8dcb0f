import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { engineQuestion, isKnownEntity, sensitiveColumnsOf } from '../../../../shared/model/access/access-entities.ts';
import { plainCircumstances, readResource, writeResource } from '../../../../shared/model/access/access-request.ts';
import { guardedDeclaration } from './guarded-declaration.ts';

const declaration = guardedDeclaration('', { groups: { operators: ['Ada@Example.com'] } });
const asked = { door: 'penstock', nowMs: 1_795_000_000_999 };

test('engineQuestion() makes entities of the declaration alone, whatever a caller writes', () => {
  fc.assert(
    fc.property(fc.string(), fc.webUrl(), fc.array(fc.string()), (name, issuer, groups) => {
      const asker = { name, issuer, groups, kind: 'person' as const };
      const resource = { type: 'Pipeline' as const, name: 'people' };
      const question = engineQuestion(
        declaration,
        { asker, action: 'redrive', resource, circumstances: plainCircumstances },
        asked,
      );
      if ('unaskable' in question) return assert.equal(name, '');
      const ids = question.entities.map(({ uid }) => `${uid.type}/${uid.id}`);
      assert.deepEqual(ids.slice(1), ['Pipeline/people', 'Table/Passengers']);
      assert.equal(new Set(ids).size, ids.length);
      const [principal] = question.entities;
      for (const parent of principal?.parents ?? []) assert.ok(parent.id.startsWith(`${issuer}#group:`));
      return undefined;
    }),
  );
});

test('engineQuestion() puts a person into the declared groups, however the address is written', () => {
  for (const name of ['ada@example.com', 'ADA@EXAMPLE.COM']) {
    const asker = { name, issuer: 'laptop', groups: [], kind: 'person' as const };
    const resource = { type: 'Function' as const, name: 'dashboard' };
    const question = engineQuestion(
      declaration,
      { asker, action: 'view', resource, circumstances: plainCircumstances },
      asked,
    );
    assert.ok('entities' in question);
    assert.deepEqual(question.entities[0]?.parents, [{ type: 'Group', id: 'operators' }]);
  }
});

test('engineQuestion() tells the time in whole seconds', () => {
  const asker = { name: 'a@b.c', issuer: 'laptop', groups: [], kind: 'person' as const };
  const resource = { type: 'Secret' as const, name: 'sink' };
  const question = engineQuestion(
    declaration,
    { asker, action: 'rotate', resource, circumstances: plainCircumstances },
    asked,
  );
  assert.ok('context' in question);
  assert.deepEqual(question.context.now, { __extn: { fn: 'datetime', arg: '2026-11-18T11:06:40.000Z' } });
});

test('isKnownEntity() knows what is declared, and nothing else', () => {
  for (const [type, id] of [
    ['Feed', 'faces'],
    ['Pipeline', 'people'],
    ['Table', 'Passengers'],
    ['Column', 'Passengers.Name'],
    ['Group', 'operators'],
    ['Group', 'https://i#group:g'],
    ['Function', 'read-shard'],
    ['Secret', 'sink'],
  ] as const) {
    assert.equal(isKnownEntity(declaration, { type, id }), true, `${type} ${id}`);
  }
  for (const [type, id] of [
    ['Feed', 'toString'],
    ['Column', 'Passengers'],
    ['Column', 'Passengers.a.b'],
    ['Column', 'Nowhere.a'],
    ['Group', 'nobody'],
    ['Function', 'evil'],
    ['Planet', 'earth'],
  ] as const) {
    assert.equal(isKnownEntity(declaration, { type, id }), false, `${type} ${id}`);
  }
});

test('sensitiveColumnsOf() finds columns that a feed reads, and those that its condition tells of', () => {
  const feed = declaration.feeds.faces;
  assert.ok(feed);
  assert.deepEqual(sensitiveColumnsOf(declaration, feed), []);
  assert.deepEqual(sensitiveColumnsOf(declaration, { ...feed, where: "STARTS_WITH(`name`, 'A')" }), [
    'Passengers.Name',
  ]);
  for (const where of ["TO_JSON_STRING(Passengers) > 'a'", '`passengers` IS NOT NULL', 'Passengers = Passengers']) {
    assert.deepEqual(sensitiveColumnsOf(declaration, { ...feed, where }), ['Passengers.Name'], where);
  }
  assert.deepEqual(sensitiveColumnsOf(declaration, { ...feed, where: "Passengers.Age > 1 AND Id != 'Name'" }), []);
  assert.deepEqual(sensitiveColumnsOf(declaration, { ...feed, label: { column: 'NAME', greaterThan: 0 } }), [
    'Passengers.NAME',
  ]);
  assert.deepEqual(sensitiveColumnsOf(declaration, { ...feed, split: { by: 'Name', evaluateShare: 0.1 } }), [
    'Passengers.Name',
  ]);
});

test('sensitiveColumnsOf() finds every sensitive column of a table that a feed’s query names, in whatever way', () => {
  const feed = declaration.feeds.faces;
  assert.ok(feed);
  const told = (text: string): readonly string[] =>
    sensitiveColumnsOf(declaration, { ...feed, table: 'query', sql: { text, key: [] } });
  for (const table of ['Passengers', 'passengers', '`PASSENGERS`']) {
    assert.ok(told(`SELECT Id, TO_JSON_STRING(p) AS j FROM ${table} AS p`).includes('Passengers.Name'), table);
  }
  assert.deepEqual(told("SELECT Name, 'Passengers' AS t FROM Places"), []);
});

test('readResource() reads what writeResource() writes', () => {
  const types = fc.constantFrom(
    'Function' as const,
    'Pipeline' as const,
    'Feed' as const,
    'Secret' as const,
    'Column' as const,
  );
  fc.assert(
    fc.property(types, fc.string({ minLength: 1 }), (type, name) => {
      assert.deepEqual(readResource(writeResource({ type, name })), { type, name });
    }),
  );
  for (const text of ['', '/', 'Feed/', 'Feed', 'Planet/earth']) assert.equal(readResource(text), undefined, text);
});
