import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Spanner } from '@google-cloud/spanner';
import fc from 'fast-check';
import { openSpannerServer, type SpannerServer } from '../../../../../deploy/local/spanner/server.ts';
import { openSpannerChannel, type SpannerChannel } from '../../../../../shared/adapters/spanner/channel.ts';
import { readRange } from '../../../../../shared/adapters/spanner/reader/read-range.ts';
import { formatTimestamp } from '../../../../../shared/model/epochs/key-at.ts';
import { type ColumnBlock, type ColumnVector, textAt } from '../../../../../shared/model/tensors/column-vector.ts';
import { openTestDatabase, type TestDatabase } from '../test-database.ts';

/** Each type of column, and the values that are written to it. */
const types = {
  BOOL: fc.boolean(),
  INT64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  FLOAT32: fc.float().map((value) => Spanner.float32(value)),
  FLOAT64: fc.double().map((value) => Spanner.float(value)),
  NUMERIC: fc
    .tuple(fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }), fc.nat(9))
    .map(([unscaled, scale]) => Spanner.numeric(decimal(unscaled, scale))),
  'STRING(MAX)': fc.string({ unit: 'grapheme', maxLength: 20 }),
  'BYTES(MAX)': fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  // The client takes a list for an array of JSON, and so are only objects written.
  JSON: fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 1 }), {
    maxKeys: 3,
    noNullPrototype: true,
  }),
  UUID: fc.uuid(),
  DATE: fc.date({ min: new Date('0001-01-02'), max: new Date('9999-12-30'), noInvalidDate: true }).map(day),
  TIMESTAMP: fc
    .tuple(fc.integer({ min: -62_135_510_400, max: 253_402_214_400 }), fc.nat(999_999_999))
    // The client takes a second too many off what lies before 1970 and has a fraction.
    .map(([seconds, nanos]) => formatTimestamp(seconds, seconds < 0 ? 0 : nanos)),
} as const;
type TypeName = keyof typeof types;
const typeNames = Object.keys(types) as TypeName[];
const columns = typeNames.flatMap((type) => [
  { name: `A_${type.slice(0, 7).replace('(', '')}`, type, isList: false },
  { name: `L_${type.slice(0, 7).replace('(', '')}`, type, isList: true },
]);

function decimal(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  const [whole, part] = [digits.slice(0, digits.length - scale), digits.slice(digits.length - scale)];
  return `${unscaled < 0n ? '-' : ''}${whole.slice(0, 29)}${part === '' ? '' : `.${part}`}`;
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

const record = fc.record(
  Object.fromEntries(
    columns.map(({ name, type, isList }) => {
      const given: fc.Arbitrary<unknown> = types[type];
      const value = fc.option(given, { freq: 6 });
      return [name, isList ? fc.option(fc.array(value, { maxLength: 4 }), { freq: 6 }) : value];
    }),
  ),
);

let server: SpannerServer;
let opened: TestDatabase;
let channel: SpannerChannel;

before(async () => {
  server = await openSpannerServer();
  const list = columns.map(({ name, type, isList }) => `${name} ${isList ? `ARRAY<${type}>` : type}`).join(', ');
  opened = await openTestDatabase(server.address, [`CREATE TABLE V (Id INT64 NOT NULL, ${list}) PRIMARY KEY (Id)`]);
  channel = openSpannerChannel(opened.name, opened.env);
});

after(async () => {
  channel.close();
  await opened.close();
  await server.close();
});

/** A value as text, from what the official client gives for it. */
function officialText(value: unknown, type: TypeName): unknown {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map((item) => officialText(item, type));
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (type === 'JSON') return JSON.stringify(value);
  // PreciseDate keeps nanoseconds in its ISO text.
  if (type === 'TIMESTAMP') return (value as Date).toISOString().replace(/\.?0*Z$/, 'Z');
  if (type === 'DATE') return (value as { toJSON(): string }).toJSON();
  if (typeof value === 'object' && 'value' in value) return String(value.value);
  return String(value);
}

function ourText(vector: ColumnVector, row: number, type: TypeName): unknown {
  if (vector.nulls[row] === 1) return null;
  switch (vector.kind) {
    case 'int64':
    case 'float64':
      return String(vector.values[row]);
    case 'bool':
      return String(vector.values[row] === 1);
    case 'timestamp':
      return formatTimestamp(vector.seconds[row] ?? 0, vector.nanos[row] ?? 0);
    case 'text':
      return type === 'JSON' ? JSON.stringify(JSON.parse(textAt(vector, row))) : textAt(vector, row);
    case 'list': {
      const [from, to] = [vector.offsets[row] ?? 0, vector.offsets[row + 1] ?? 0];
      return Array.from({ length: to - from }, (_, index) => ourText(vector.items, from + index, type));
    }
  }
}

async function officialRows(names: readonly string[], count: number): Promise<unknown[][]> {
  const keys = Array.from({ length: count }, (_, id) => String(id));
  const [rows] = await opened.database.table('V').read({ keys, columns: [...names] });
  return rows.map((row) => [...(row as Iterable<{ name: string; value: unknown }>)].map(({ value }) => value));
}

test('readRange() gives what the official client gives, of random rows and columns of every type', async () => {
  const some = fc.shuffledSubarray(columns, { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 8 }), some, async (rows, chosen) => {
      const [commit] = await opened.database.table('V').replace(rows.map((row, Id) => ({ Id, ...row })));
      const { seconds, nanos } = commit.commitTimestamp ?? {};
      const names = ['Id', ...chosen.map(({ name }) => name)];
      const blocks: ColumnBlock[] = await Array.fromAsync(
        readRange(channel, {
          table: 'V',
          columns: names,
          keyLength: 1,
          range: { from: ['0'], to: [String(rows.length)] },
          readTimestamp: formatTimestamp(Number(seconds), Number(nanos)),
          blockRows: 3,
        }),
      );
      const kinds: TypeName[] = ['INT64', ...chosen.map(({ type }) => type)];
      const ours = blocks.flatMap((block) =>
        Array.from({ length: block.rowCount }, (_, row) =>
          block.columns.map((vector, at) => ourText(vector, row, kinds[at] ?? 'INT64')),
        ),
      );
      const theirs = (await officialRows(names, rows.length)).map((row) =>
        row.map((value, at) => officialText(value, kinds[at] ?? 'INT64')),
      );
      assert.deepEqual(ours, theirs);
    }),
    { numRuns: 15, interruptAfterTimeLimit: 8_000 },
  );
});
