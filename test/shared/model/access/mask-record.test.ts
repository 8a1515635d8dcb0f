import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { maskReason, maskValue, recordMask } from '../../../../shared/model/access/mask-record.ts';
import type { ColumnSource, Declaration } from '../../../../shared/model/config/declaration.ts';
import { guardedDeclaration } from './guarded-declaration.ts';

function column(name: string, from: ColumnSource['from']): ColumnSource {
  return { column: name, from, format: undefined, zone: undefined, bitReverse: false, windowMs: undefined };
}

/** `people` writes Id and Age, which are plain, and Name, Mail and Tag, which are sensitive. */
function declared(...more: ColumnSource[]): Declaration {
  const declaration = guardedDeclaration('', { sensitive: { passengers: ['Name', 'mail', 'Tag'] } });
  const { people } = declaration.pipelines;
  assert.ok(people);
  const columns = [
    column('Id', { kind: 'key' }),
    column('Age', { kind: 'field', path: 'person.age' }),
    column('Name', { kind: 'field', path: 'person.name' }),
    column('Mail', { kind: 'field', path: 'mail' }),
    column('Tag', { kind: 'header', name: 'tag' }),
    ...more,
  ];
  return {
    ...declaration,
    pipelines: { people: { ...people, targets: people.targets.map((target) => ({ ...target, columns })) } },
  };
}

const shown = (value: unknown, declaration = declared()): string => {
  const mask = recordMask(declaration, 'people');
  assert.ok(mask);
  return maskValue(Buffer.from(JSON.stringify(value)), mask);
};

test('recordMask() shows what plain columns hold, and no field, key or header of a sensitive one', () => {
  const mask = recordMask(declared(), 'people');
  assert.deepEqual(mask, { key: true, fields: new Set(['person.age']), headers: new Set() });
  const both = declared(
    column('Alias', { kind: 'field', path: 'mail' }),
    column('Code', { kind: 'header', name: 'code' }),
  );
  assert.deepEqual(recordMask(both, 'people')?.fields, new Set(['person.age']), 'a field of a sensitive column too');
  assert.deepEqual(recordMask(both, 'people')?.headers, new Set(['code']));
  const byKey = declared(column('name', { kind: 'keyField', path: 'n' }));
  assert.equal(recordMask(byKey, 'people')?.key, false);
});

test('recordMask() masks nothing without sensitive columns, and all of a pipeline that is not declared any more', () => {
  assert.equal(recordMask(guardedDeclaration('', { sensitive: {} }), 'people'), undefined);
  assert.equal(recordMask(guardedDeclaration('', { sensitive: { Other: ['a'] } }), 'people'), undefined);
  assert.deepEqual(recordMask(declared(), 'gone')?.fields, new Set());
  assert.deepEqual(recordMask(declared(), 'constructor')?.key, false);
});

test('maskValue() shows plain fields, and of all others how many there are', () => {
  const value = { person: { age: 36, name: 'Ada' }, mial: 'ada@example.com', 'ada@example.com': 1 };
  assert.equal(shown(value), '{"person":{"age":36,"(masked)":1},"(masked)":2}');
  assert.equal(shown({ person: { age: { years: 36, name: 'Ada' } } }), '{"person":{"(masked)":1}}');
  assert.equal(shown({ person: [{ age: 36 }] }), '{"(masked)":1}');
  for (const odd of ['Ada', 7, ['Ada'], null]) assert.equal(shown(odd), '(masked)');
  const mask = recordMask(declared(), 'people');
  assert.ok(mask);
  assert.equal(maskValue(Buffer.from('{"person": {"name": "Ada"'), mask), '(masked)');
  assert.equal(maskValue(Buffer.from([0xff, 0x41]), mask), '(masked)');
});

test('maskValue() never shows a text that stands in no plain field, however deep', () => {
  const secret = 'Ada Lovelace';
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      fc.constant(secret),
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('person', 'name', 'mail', secret, '__proto__', 'x'), tie('node'), { maxKeys: 4 }),
    ),
  })).node;
  fc.assert(fc.property(tree, (value) => assert.doesNotMatch(shown(value), /Lovelace/)));
});

test('maskReason() names the column and nothing of what was in it', () => {
  assert.equal(maskReason('Column Age: "Ada" is no INT64'), 'Column Age: (masked)');
  for (const reason of [
    'The value is not JSON: Unexpected token A in "Ada"',
    'Mode insert: row ("Ada") exists already',
    'column Ada',
  ]) {
    assert.equal(maskReason(reason), '(masked)');
  }
});
