import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseFilter } from '../../../../deploy/local/pubsub/filter.ts';

test('parseFilter() reads every form of the language', () => {
  const oslo = { city: 'Oslo', 'iana.org/language_tag': 'no', empty: '' };
  const cases: [string, boolean][] = [
    ['', true],
    ['attributes:city', true],
    ['attributes:empty', true],
    ['attributes:country', false],
    ['attributes.city = "Oslo"', true],
    ['attributes.city="Bergen"', false],
    ['attributes.city != "Bergen"', true],
    ['attributes.country != "Norway"', true],
    ['attributes:country AND attributes.country != "Norway"', false],
    ['attributes."iana.org/language_tag" = "no"', true],
    ['hasPrefix(attributes.city, "Os")', true],
    ['hasPrefix(attributes.country, "")', false],
    ['NOT attributes:city', false],
    ['-attributes:country', true],
    ['attributes:country OR attributes:city', true],
    ['attributes:city AND (attributes:country OR NOT attributes.city = "Bergen")', true],
    ['attributes:constructor', false],
  ];
  for (const [text, expected] of cases) assert.equal(parseFilter(text)(oslo), expected, text);
});

test('parseFilter() refuses what it does not know, saying where', () => {
  const refused = [
    'city',
    'attributes',
    'attributes.city',
    'attributes.city = Oslo',
    'attributes.city > "a"',
    '(attributes:a',
    'attributes:a)',
    'attributes:a attributes:b',
    'attributes:a AND attributes:b OR attributes:c',
    'hasSuffix(attributes.a, "b")',
    'data = "x"',
    'attributes.a = "x',
  ];
  for (const text of refused) assert.throws(() => parseFilter(text), /Cannot read the filter/, text);
  assert.throws(() => parseFilter(`attributes.a = "${'x'.repeat(250)}"`), /at most 256/);
});

test('parseFilter() agrees with the values that its text was made from', () => {
  const keys = fc.constantFrom('a', 'b', 'c');
  const values = fc.constantFrom('', 'x', 'xy');
  const leaf = fc.record({ key: keys, value: values }).map(({ key, value }) => ({
    text: `attributes.${key} = "${value}"`,
    holds: (attributes: Record<string, string>) => attributes[key] === value,
  }));
  type Case = { text: string; holds(attributes: Record<string, string>): boolean };
  const { tree } = fc.letrec<{ tree: Case }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3 },
      leaf,
      tie('tree').map((inner) => ({
        text: `NOT (${inner.text})`,
        holds: (a: Record<string, string>) => !inner.holds(a),
      })),
      fc.tuple(tie('tree'), tie('tree')).map(([l, r]) => ({
        text: `(${l.text}) AND (${r.text})`,
        holds: (a: Record<string, string>) => l.holds(a) && r.holds(a),
      })),
      fc.tuple(tie('tree'), tie('tree')).map(([l, r]) => ({
        text: `(${l.text}) OR (${r.text})`,
        holds: (a: Record<string, string>) => l.holds(a) || r.holds(a),
      })),
    ),
  }));
  fc.assert(
    fc.property(tree, fc.dictionary(keys, values, { noNullPrototype: true }), ({ text, holds }, attributes) => {
      fc.pre(text.length <= 256);
      assert.equal(parseFilter(text)(attributes), holds(attributes));
    }),
  );
});
