import assert from 'node:assert/strict';
import { test } from 'node:test';
import { protos } from '@google-cloud/spanner';
import fc from 'fast-check';
import { resultDecoder } from '../../../../../shared/adapters/spanner/reader/decoder.ts';
import { DecodeError } from '../../../../../shared/adapters/spanner/reader/reader-error.ts';
import { formatTimestamp } from '../../../../../shared/model/epochs/key-at.ts';
import { type ColumnBlock, type ColumnVector, textAt } from '../../../../../shared/model/tensors/column-vector.ts';

const { PartialResultSet } = protos.google.spanner.v1;
type Value = protos.google.protobuf.IValue;

/** Name, google.spanner.v1.TypeCode and, of an array, that of its items. */
const columns = [
  ['Id', 2],
  ['B', 1],
  ['F', 3],
  ['G', 15],
  ['N', 10],
  ['S', 6],
  ['J', 11],
  ['U', 17],
  ['T', 4],
  ['Ss', 8, 6],
  ['Gs', 8, 15],
] as const;
const names = columns.map(([name]) => name);

function metadata() {
  const fields = columns.map(([name, code, item]) => ({
    name,
    type: item === undefined ? { code } : { code, arrayElementType: { code: item } },
  }));
  return { rowType: { fields } };
}

const textValue = (stringValue: string): Value => ({ stringValue });
const nothing: Value = { nullValue: 0 };
const orNull = (values: fc.Arbitrary<Value>) => fc.option(values, { nil: nothing, freq: 5 });
const text = fc.string({ unit: 'grapheme', maxLength: 9 });
const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const float32 = fc.float({ noNaN: true, noDefaultInfinity: true });
const float = (numbers: fc.Arbitrary<number>) =>
  fc.oneof(
    { weight: 5, arbitrary: numbers.map((numberValue): Value => ({ numberValue })) },
    { weight: 1, arbitrary: fc.constantFrom('NaN', 'Infinity', '-Infinity').map(textValue) },
  );
const list = (items: fc.Arbitrary<Value>) =>
  fc.array(orNull(items), { maxLength: 4 }).map((values): Value => ({ listValue: { values } }));
const timestamp = fc
  .tuple(fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }), fc.nat(999_999_999))
  .map(([seconds, nanos]) => textValue(formatTimestamp(seconds, nanos)));

/** One row's values as Spanner sends them. */
const row = fc.tuple(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((id) => textValue(String(id))),
  orNull(fc.boolean().map((boolValue): Value => ({ boolValue }))),
  orNull(float(finite)),
  orNull(float(float32)),
  orNull(fc.constantFrom('0', '-1.5', '99999999999999999999999999999.999999999').map(textValue)),
  orNull(text.map(textValue)),
  orNull(fc.json({ maxDepth: 2 }).map(textValue)),
  orNull(fc.uuid().map(textValue)),
  orNull(timestamp),
  orNull(list(text.map(textValue))),
  orNull(list(float(float32))),
);

/** A value in the form in which it was sent. */
function valueAt(vector: ColumnVector, at: number): Value {
  if (vector.nulls[at] === 1) return nothing;
  switch (vector.kind) {
    case 'int64':
      return textValue(String(vector.values[at]));
    case 'float64': {
      const numberValue = vector.values[at] ?? 0;
      return Number.isFinite(numberValue) ? { numberValue } : textValue(String(numberValue));
    }
    case 'bool':
      return { boolValue: vector.values[at] === 1 };
    case 'timestamp':
      return textValue(formatTimestamp(vector.seconds[at] ?? 0, vector.nanos[at] ?? 0));
    case 'text':
      return textValue(textAt(vector, at));
    case 'list': {
      const [from, to] = [vector.offsets[at] ?? 0, vector.offsets[at + 1] ?? 0];
      const values = Array.from({ length: to - from }, (_, index) => valueAt(vector.items, from + index));
      return { listValue: { values } };
    }
  }
}

function rowsOf(blocks: readonly ColumnBlock[]): Value[][] {
  return blocks.flatMap(({ rowCount, columns: vectors }) =>
    Array.from({ length: rowCount }, (_, at) => vectors.map((vector) => valueAt(vector, at))),
  );
}

/** All blocks at once, after the last: each must have kept its own arrays. */
function decode(messages: readonly Buffer[], blockRows = 3): Value[][] {
  const decoder = resultDecoder(names, blockRows);
  const blocks = messages.flatMap((message) => [...decoder.blocks(message)]);
  const last = decoder.finish();
  return rowsOf(last ? [...blocks, last] : blocks);
}

/** Each block as it comes, of a decoder that uses its arrays again. */
function decodeReusing(messages: readonly Buffer[], blockRows = 3): Value[][] {
  const decoder = resultDecoder(names, blockRows, { reuse: true });
  const rows: Value[][] = [];
  for (const message of messages) for (const block of decoder.blocks(message)) rows.push(...rowsOf([block]));
  const last = decoder.finish();
  return last ? [...rows, ...rowsOf([last])] : rows;
}

function encode(parts: protos.google.spanner.v1.IPartialResultSet): Buffer {
  return Buffer.from(PartialResultSet.encode(parts).finish());
}

/** All ways to cut a value: a text at every character, a list before, behind and inside every text. */
function cutsOf(value: Value): [Value, Value][] {
  const { stringValue } = value;
  if (typeof stringValue === 'string') {
    const units = [...stringValue];
    return [...units, ''].map((_, at) => [textValue(units.slice(0, at).join('')), textValue(units.slice(at).join(''))]);
  }
  const items = value.listValue?.values;
  if (!items) return [];
  const asList = (values: Value[]): Value => ({ listValue: { values } });
  return items.flatMap((item, index) =>
    cutsOf(item).map(([left, right]): [Value, Value] => [
      asList([...items.slice(0, index), left]),
      asList([right, ...items.slice(index + 1)]),
    ]),
  );
}

test('resultDecoder() gives every value of every type as it was sent, however the values fall into messages', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 9 }), fc.array(fc.integer({ min: 1, max: 30 })), (rows, sizes) => {
      const values = rows.flat();
      const messages = [encode({ metadata: metadata() })];
      for (let from = 0, part = 0; from < values.length; part += 1) {
        const size = sizes[part] ?? 7;
        messages.push(encode({ values: values.slice(from, from + size) }));
        from += size;
      }
      assert.deepEqual(decode(messages), rows);
      assert.deepEqual(decodeReusing(messages), rows);
    }),
    { numRuns: 200 },
  );
});

test('resultDecoder() joins a value that is cut at any character, in lists too', () => {
  fc.assert(
    fc.property(row, fc.nat(columns.length - 1), (values, at) => {
      const value = values[at] ?? nothing;
      for (const [left, right] of cutsOf(value)) {
        const messages = [
          encode({ metadata: metadata(), values: [...values.slice(0, at), left], chunkedValue: true }),
          encode({ values: [right, ...values.slice(at + 1)] }),
        ];
        assert.deepEqual(decode(messages), [values]);
      }
    }),
    { numRuns: 150 },
  );
});

/** A text whose bytes are cut anywhere, inside a character too. */
test('resultDecoder() joins a text that is cut at any byte', () => {
  const whole = Buffer.from('é漢\u{1F600}x');
  const stringField = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0x1a, bytes.length]), bytes]);
  const message = (value: Buffer, ...rest: Buffer[]): Buffer =>
    Buffer.concat([Buffer.from([0x12, value.length]), value, ...rest]);
  const described = encode({ metadata: { rowType: { fields: [{ name: 'S', type: { code: 6 } }] } } });
  for (let at = 0; at <= whole.length; at += 1) {
    const decoder = resultDecoder(['S'], 1);
    const start = message(stringField(whole.subarray(0, at)), Buffer.from([0x18, 1]));
    assert.deepEqual([...decoder.blocks(Buffer.concat([described, start]))], []);
    const [block] = decoder.blocks(message(stringField(whole.subarray(at))));
    assert.deepEqual(block && rowsOf([block]), [[textValue(whole.toString())]]);
  }
});

test('resultDecoder() makes of 10,000 damaged streams an error, or no more rows than were sent', () => {
  const [sample] = fc.sample(fc.array(row, { minLength: 12, maxLength: 12 }), { seed: 5, numRuns: 1 });
  const values = (sample ?? []).flat();
  const half = Math.floor(values.length / 2);
  const messages = [
    encode({ metadata: metadata(), values: values.slice(0, half) }),
    encode({ values: values.slice(half) }),
  ];
  const length = messages.reduce((sum, message) => sum + message.length, 0);
  const damage = fc.array(fc.tuple(fc.nat(length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
  let errors = 0;
  fc.assert(
    fc.property(damage, fc.option(fc.nat(length), { freq: 3 }), (bytes, cutAt) => {
      const all = Buffer.concat(messages);
      for (const [at, byte] of bytes) all[at] = byte;
      const first = all.subarray(0, messages[0]?.length);
      const second = all.subarray(messages[0]?.length, cutAt === null ? undefined : Math.max(cutAt, first.length));
      try {
        assert.ok(decode([first, second]).length <= 12);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
        errors += 1;
      }
    }),
    { numRuns: 10_000 },
  );
  assert.ok(errors > 2_000, `${errors} errors`);
});

test('resultDecoder() refuses a STRUCT and says which column has it', () => {
  const struct = { code: 9, structType: { fields: [{ name: 'a', type: { code: 2 } }] } };
  for (const type of [struct, { code: 8, arrayElementType: struct }]) {
    const message = encode({ metadata: { rowType: { fields: [{ name: 'X', type }] } } });
    assert.throws(
      () => [...resultDecoder(['X'], 1).blocks(message)],
      /column X has type \d+, which no tensor is made of/,
    );
  }
});
