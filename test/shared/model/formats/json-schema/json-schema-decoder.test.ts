import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PoisonError } from '../../../../../shared/model/events/records/poison.ts';
import { ExactNumber } from '../../../../../shared/model/events/values/document-leaf.ts';
import { jsonSchemaDecoder } from '../../../../../shared/model/formats/json-schema/json-schema-decoder.ts';
import type { RegisteredSchema } from '../../../../../shared/model/formats/schema-book.ts';
import { withinCpuSeconds } from '../../../within-cpu-seconds.ts';
import { book, framed } from '../book-fixture.ts';

const registry = { kind: 'registry' } as const;

function decoder(schema: unknown, references: RegisteredSchema['references'] = []) {
  const text = typeof schema === 'string' ? schema : JSON.stringify(schema);
  return jsonSchemaDecoder(registry, book({ type: 'JSON', text, references }));
}

const json = (value: unknown): Buffer =>
  framed(1, Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));

function refusal(read: () => unknown): PoisonError {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof PoisonError, String(error));
    return error;
  }
  return assert.fail('it was taken');
}

const flight = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'integer', minimum: 1 }, tags: { type: 'array', uniqueItems: true } },
  additionalProperties: false,
};

test('jsonSchemaDecoder() takes what follows the schema, with every digit', () => {
  const { document } = decoder(flight).decode(json('{"id":9007199254740993,"tags":[{"a":1,"b":2},{"a":1}]}'));
  assert.deepEqual(document, { id: new ExactNumber('9007199254740993'), tags: [{ a: 1, b: 2 }, { a: 1 }] });
});

for (const [text, poison, message] of [
  ['{"id":0}', 'unmappable', /schema 1: \/id must be >= 1/],
  ['{}', 'unmappable', /must have required property 'id'/],
  ['{"id":1,"x":1}', 'unmappable', /additional properties/],
  ['{"id":1,"tags":[{"a":1,"b":2},{"b":2,"a":1}]}', 'unmappable', /tags/],
  ['[]', 'unmappable', /it must be object/],
  ['{', 'undecodable', /not JSON/],
] as const) {
  test(`jsonSchemaDecoder() sets ${text} aside`, () => {
    const error = refusal(() => decoder(flight).decode(json(text)));
    assert.equal(error.poison, poison);
    assert.match(error.message, message);
  });
}

for (const [draft, schema, good, bad] of [
  ['none', { const: 5 }, 5, 6],
  ['http://json-schema.org/draft-04/schema#', { maximum: 5, exclusiveMaximum: true }, 4, 5],
  ['http://json-schema.org/draft-06/schema#', { contains: { const: 5 } }, [5], [6]],
  ['http://json-schema.org/draft-07/schema#', { if: { type: 'string' }, else: { minimum: 3 } }, 3, 2],
  ['https://json-schema.org/draft/2019-09/schema', { minContains: 2, contains: { const: 1 } }, [1, 1], [1]],
  ['https://json-schema.org/draft/2020-12/schema', { prefixItems: [{ type: 'string' }] }, ['a'], [1]],
] as const) {
  test(`jsonSchemaDecoder() reads draft ${draft}`, () => {
    const { decode } = decoder(draft === 'none' ? schema : { $schema: draft, ...schema });
    assert.deepEqual(decode(json(good)).document, good);
    assert.equal(refusal(() => decode(json(bad))).poison, 'unmappable');
  });
}

for (const base of [undefined, 'https://example.com/schemas/main.json'] as const) {
  for (const own of [undefined, 'https://elsewhere.example/other.json'] as const) {
    test(`jsonSchemaDecoder() follows references by name, main ${base ?? 'nameless'}, referred ${own ?? 'nameless'}`, () => {
      const other = JSON.stringify({ ...(own === undefined ? {} : { $id: own }), type: 'integer' });
      const schema = { ...(base === undefined ? {} : { $id: base }), properties: { n: { $ref: 'other.json' } } };
      const { decode } = decoder(schema, [{ name: 'other.json', text: other }]);
      assert.deepEqual(decode(json('{"n":1}')).document, { n: 1 });
      assert.match(refusal(() => decode(json('{"n":"x"}'))).message, /n must be integer/);
    });
  }
}

for (const [what, schema, message] of [
  ['no JSON', '{', /not JSON/],
  ['a number', '5', /neither an object/],
  ['a draft that nobody knows', { $schema: 'http://json-schema.org/draft-03/schema#' }, /none of 4, 6, 7/],
  ['a reference to nothing', { $ref: 'missing.json' }, /missing\.json/],
  ['a keyword of the wrong kind', { maximum: 'much' }, /maximum/],
  ['an asynchronous schema', { $async: true }, /asynchronous/],
] as const) {
  test(`jsonSchemaDecoder() says of a schema that is ${what} that it cannot be used`, () => {
    const error = refusal(() => decoder(schema).decode(json('{}')));
    assert.equal(error.poison, 'undecodable');
    assert.match(error.message, /^Schema 1 cannot be used: /);
    assert.match(error.message, message);
  });
}

test('jsonSchemaDecoder() takes patterns that Unicode’s mode refuses, and schemas that are true or false', () => {
  assert.equal(decoder({ pattern: '^\\-a$' }).decode(json('"-a"')).document, '-a');
  assert.deepEqual(decoder('true').decode(json('{}')).document, {});
  assert.equal(refusal(() => decoder('false').decode(json('{}'))).poison, 'unmappable');
});

test('jsonSchemaDecoder() by a file reads bare JSON, and refuses a file that is no schema', () => {
  const file = (text: string) => ({ kind: 'file', file: 'flight.json', text }) as const;
  const { decode, missingSchema } = jsonSchemaDecoder(file(JSON.stringify(flight)), book());
  assert.deepEqual(decode(Buffer.from('{"id":1}')).document, { id: 1 });
  assert.equal(missingSchema(json('{}')), undefined);
  assert.match(refusal(() => decode(Buffer.from('{}'))).message, /its schema/);
  assert.throws(() => jsonSchemaDecoder(file('{'), book()), /Schema flight\.json/);
});

test('jsonSchemaDecoder() either reads or sets aside whatever bytes come, in bounded time', () => {
  const { decode } = decoder({ ...flight, additionalProperties: { $ref: '#' } });
  const inputs = fc.oneof(
    fc.json().map((text) => json(text)),
    fc.uint8Array().map((bytes) => framed(1, bytes)),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(inputs, (bytes) => {
      try {
        if (bytes.length >= 5 && bytes.readInt32BE(1) !== 1) return;
        decode(bytes);
      } catch (error) {
        assert.ok(error instanceof PoisonError && error.message.length > 10, String(error));
      }
    }),
    { numRuns: 10_000 },
  );
  withinCpuSeconds(30, () => {
    const many = Array.from({ length: 50_000 }, (_, at) => ({ at, text: 'same' }));
    assert.ok(decode(json({ id: 1, tags: many })).document);
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`f${at}`, { id: 1 }]));
    assert.ok(decode(json({ id: 1, ...wide })).document);
  });
});

test('jsonSchemaDecoder() counts the steps of schemas that ask for billions, and bounds their length', () => {
  const definitions: Record<string, unknown> = { d40: { type: 'string' } };
  for (let at = 0; at < 40; at++) {
    const next = { $ref: `#/definitions/d${at + 1}` };
    definitions[`d${at}`] = { anyOf: [next, next] };
  }
  withinCpuSeconds(30, () => {
    for (const $schema of ['http://json-schema.org/draft-04/schema#', 'https://json-schema.org/draft/2020-12/schema']) {
      const { decode } = decoder({ $schema, definitions, allOf: [{ $ref: '#/definitions/d0' }] });
      assert.match(refusal(() => decode(json('5'))).message, /too many steps/);
      // One draft's reader stops at the first alternative that fits, and counts anew for each record.
      if ($schema.includes('draft-04')) assert.equal(decode(json('"x"')).document, 'x');
    }
  });
  const long = { description: 'x'.repeat(300_000) };
  assert.match(refusal(() => decoder(long).decode(json('5'))).message, /characters, over 262144/);
});
