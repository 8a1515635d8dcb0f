import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PoisonError } from '../../../../../shared/model/events/records/poison.ts';
import { parseAvroSchema } from '../../../../../shared/model/formats/avro/parse-avro-schema.ts';

const parse = (text: string, references: readonly string[] = []) =>
  parseAvroSchema({ text, references: references.map((reference) => ({ text: reference })), connect: false });

for (const [what, text, message] of [
  ['no JSON', '{', /not JSON/],
  ['an unknown name', '"Strange"', /names type "Strange"/],
  ['a record without fields', '{"type":"record","name":"R"}', /no list of fields/],
  ['a field without a name', '{"type":"record","name":"R","fields":[{"type":"int"}]}', /without a name/],
  [
    'a field twice',
    '{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}',
    /twice/,
  ],
  ['a type twice', '["null",{"type":"enum","name":"E","symbols":[]},{"type":"fixed","name":"E","size":1}]', /twice/],
  ['a record without a name', '{"type":"record","fields":[]}', /no name/],
  ['a bad name', '{"type":"fixed","name":"1x","size":1}', /no name of a type/],
  ['a union in a union', '["null",["int"]]', /another union/],
  ['a fixed of no size', '{"type":"fixed","name":"F","size":-1}', /no size/],
  ['an array of nothing', '{"type":"array"}', /no "items"/],
  ['a number', '5', /neither a name/],
] as const) {
  test(`parseAvroSchema() refuses ${what}`, () => {
    assert.throws(() => parse(text), message);
  });
}

test('parseAvroSchema() takes types from references, in their order', () => {
  const inner = '{"type":"record","name":"Inner","namespace":"x","fields":[{"name":"n","type":"int"}]}';
  const middle = '{"type":"record","name":"x.Middle","fields":[{"name":"i","type":"Inner"}]}';
  assert.equal(parse('["null","x.Middle","x.Inner"]', [inner, middle]).kind, 'union');
  assert.throws(() => parse('["null","x.Middle"]', [inner]), /x\.Middle/);
});

test('parseAvroSchema() takes a primitive by its bare name', () => {
  assert.deepEqual(parse('string'), { kind: 'string' });
  assert.deepEqual(parse('{"type":{"type":"string"}}'), { kind: 'string' });
});

test('parseAvroSchema() bounds depth, and never fails in another way than by saying so', () => {
  const deep = `${'{"type":"array","items":'.repeat(5_000)}"int"${'}'.repeat(5_000)}`;
  assert.throws(() => parse(deep), /nests deeper than 100/);
  fc.assert(
    fc.property(fc.json(), fc.constantFrom('record', 'enum', 'fixed', 'array', 'map'), (text, type) => {
      for (const schema of [
        text,
        `{"type":"${type}","name":"N","fields":${text},"symbols":${text},"size":${text},"items":${text},"values":${text}}`,
      ]) {
        try {
          parse(schema);
        } catch (error) {
          assert.ok(error instanceof RangeError || error instanceof PoisonError, String(error));
        }
      }
    }),
    { numRuns: 1_000 },
  );
});
