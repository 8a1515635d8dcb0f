import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ColumnSource } from '../../../../../shared/model/config/declaration.ts';
import type { TableSchema } from '../../../../../shared/model/events/tables/table-schema.ts';
import { column, field, record, table } from '../pipeline-fixture.ts';
import { bothWays } from './straight-fixture.ts';

const digits = (count: number) => fc.bigInt({ min: -(10n ** BigInt(count)) + 1n, max: 10n ** BigInt(count) - 1n });
const easyText = fc.string({ unit: fc.constantFrom(...'aZ09 _-:/.äß€😀\u007f\u2028') });
const two = (max: number, min = 0) => fc.integer({ min, max }).map((value) => String(value).padStart(2, '0'));
const year = fc.oneof(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 1970, max: 2030 }));
const day = fc.tuple(year, two(12, 1), two(28, 1)).map(([y, m, d]) => `${String(y).padStart(4, '0')}-${m}-${d}`);
const time = fc.tuple(two(23), two(59), two(59)).map((parts) => parts.join(':'));
const fraction = fc.oneof(
  fc.constant(''),
  fc.integer({ min: 0, max: 999 }).map((ms) => `.${String(ms).padStart(3, '0')}`),
  fc.integer({ min: 0, max: 999_999_999 }).map((ns) => `.${String(ns).padStart(9, '0')}`),
);
const offset = fc.oneof(
  fc.constant('Z'),
  fc.tuple(fc.constantFrom('+', '-'), two(23), two(59)).map(([sign, h, m]) => `${sign}${h}:${m}`),
);
const quoted = (text: fc.Arbitrary<string>) => text.map((value) => JSON.stringify(value));
const decimal = fc
  .tuple(fc.constantFrom('', '-'), fc.nat(1e9), fc.integer({ min: 1, max: 99_999 }))
  .map(([sign, whole, part]) => `${sign}${whole}.${part}`);
const pattern = fc.tuple(day, two(23), two(59)).map(([date, h, m]) => `${date.replaceAll('-', '/')} ${h}:${m}`);

/** A type of a column, and JSON texts that are plain for it. */
interface Kind {
  readonly type: string;
  readonly json: fc.Arbitrary<string>;
  readonly format?: string;
  readonly zone?: string;
}

const kinds: readonly Kind[] = [
  { type: 'BOOL', json: fc.constantFrom('true', 'false') },
  { type: 'INT64', json: fc.oneof(digits(15), digits(18)).map(String) },
  { type: 'INT64', json: quoted(digits(18).map(String)) },
  {
    type: 'FLOAT64',
    json: fc.oneof(digits(15).map(String), decimal, fc.constantFrom('0', '-0', '0.1', '1e3', '5E-3')),
  },
  { type: 'FLOAT64', json: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)) },
  { type: 'FLOAT32', json: decimal },
  { type: 'NUMERIC', json: fc.oneof(digits(29).map(String), decimal, fc.constantFrom('5.00', '0.10', '-0.5', '0.0')) },
  { type: 'NUMERIC', json: quoted(fc.oneof(digits(29).map(String), decimal)) },
  { type: 'STRING(MAX)', json: quoted(easyText) },
  { type: 'STRING(40)', json: quoted(easyText.map((text) => [...text].slice(0, 10).join(''))) },
  { type: 'BYTES(MAX)', json: fc.uint8Array().map((bytes) => `"${Buffer.from(bytes).toString('base64')}"`) },
  { type: 'JSON', json: fc.json().filter((text) => text !== 'null') },
  {
    type: 'UUID',
    json: quoted(
      fc.oneof(
        fc.uuid(),
        fc.uuid().map((id) => id.toUpperCase()),
      ),
    ),
  },
  { type: 'DATE', json: quoted(day) },
  { type: 'DATE', json: quoted(pattern), format: 'yyyy/MM/dd HH:mm' },
  {
    type: 'TIMESTAMP',
    json: quoted(
      fc
        .tuple(
          year.map((y) => Math.min(Math.max(y, 2), 9998)),
          two(12, 1),
          two(28, 1),
          time,
          fraction,
          offset,
        )
        .map(([y, m, d, t, f, o]) => `${String(y).padStart(4, '0')}-${m}-${d}T${t}${f}${o}`),
    ),
  },
  { type: 'TIMESTAMP', json: quoted(pattern), format: 'yyyy/MM/dd HH:mm' },
  {
    type: 'TIMESTAMP',
    json: quoted(pattern.filter((text) => text > '0002' && text < '9998')),
    format: 'yyyy/MM/dd HH:mm',
    zone: 'America/Chicago',
  },
  {
    type: 'TIMESTAMP',
    json: quoted(fc.tuple(day, time, fc.nat(999)).map(([d, t, f]) => `${t}.${String(f).padStart(3, '0')} on ${d}`)),
    format: "HH:mm:ss.SSS 'on' yyyy-MM-dd",
  },
  {
    type: 'ARRAY<INT64>',
    json: fc
      .array(digits(19))
      .map((list) => `[${list.filter((value) => value > -(2n ** 63n) && value < 2n ** 63n).join(',')}]`),
  },
  {
    type: 'ARRAY<STRING(MAX)>',
    json: fc.array(fc.oneof(easyText, fc.constant(null))).map((list) => JSON.stringify(list)),
  },
];

/** What no type takes gladly, and what only some take. */
const odd = fc.oneof(
  fc.constantFrom(
    'null',
    '-0',
    '1.0',
    '1e2',
    '""',
    '"-0"',
    '"007"',
    '"+1"',
    '"1."',
    '".5"',
    '00',
    '1.',
    '.5',
    '-',
    '[]',
  ),
  fc.constantFrom('9223372036854775807', '9223372036854775808', '-9223372036854775808', '1e400', '1E-400', '"NaN"'),
  fc.constantFrom(
    '"2024-02-30"',
    '"2024-02-29T24:00:00Z"',
    '"0001-01-01T00:00:00+00:01"',
    '"9999-12-31T23:59:59-00:01"',
  ),
  fc.constantFrom(
    '"2024-02-29T10:00:00.1234567890Z"',
    '"2024-02-29T10:00:00.Z"',
    '"2024-02-29t10:00:00z"',
    '"0000-01-01"',
  ),
  fc.constantFrom(
    '"1969/12/31 23:59"',
    '"2024/03/10 02:30"',
    '"2024/11/03 01:30"',
    '"2023/02/29 00:00"',
    '"2024/01/01 1:00"',
  ),
  fc.constantFrom('"a\\u0041\\n"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\x"', '"\\u12"', '"\u0001"', '{"a":{"b":[]}}'),
  fc.constantFrom('tru', 'nul', 'true ', '{"a":1,}', '[1,]', '{"a" 1}', `"${'x'.repeat(45)}"`, `"${'ä'.repeat(39)}"`),
  fc.json(),
  quoted(easyText),
  fc.oneof(...kinds.map(({ json }) => json)),
);

interface Case {
  readonly table: TableSchema;
  readonly columns: readonly ColumnSource[];
  readonly kinds: readonly Kind[];
  readonly paths: readonly string[];
}

const keyTypes = new Set(['ARRAY<INT64>', 'ARRAY<STRING(MAX)>', 'JSON']);

/** Tables of random columns; each column of a field of its own name, a nested one, or another's. */
const cases: fc.Arbitrary<Case> = fc
  .array(
    fc.record({
      kind: fc.constantFrom(...kinds),
      notNull: fc.boolean(),
      hasDefault: fc.boolean(),
      isKey: fc.boolean(),
      path: fc.constantFrom('', 'in', 'in.deep', 'Ümlaut', 'a.b.c'),
      declared: fc.boolean(),
    }),
    { minLength: 1, maxLength: 7 },
  )
  .map((parts) => {
    const names = parts.map((_, at) => `C${at}`);
    const paths = parts.map(({ path }, at) => (path === '' ? `C${at}` : `${path}.c${at}`));
    const columns = parts.map(({ kind, notNull, hasDefault }, at) =>
      column(`C${at}`, kind.type, { notNull, hasDefault }),
    );
    const key = names.filter((_, at) => parts[at]?.isKey && !keyTypes.has(parts[at]?.kind.type ?? ''));
    const isLeftOut = (at: number) => !parts[at]?.declared && !parts[at]?.kind.format && paths[at] === names[at];
    const sources = parts.flatMap(({ kind }, at) =>
      isLeftOut(at) ? [] : [field(`C${at}`, paths[at] ?? '', kind.format, kind.zone)],
    );
    const types = parts.map(({ kind }) => kind.type).join(', ');
    const made = { table: table(columns, key), columns: sources, kinds: parts.map(({ kind }) => kind), paths };
    return { ...made, [fc.toStringMethod]: () => `(${types}) of ${paths}, key (${key})` };
  });

/** Members by dotted path as the text of one object; names in the order given, spaces as the producer likes them. */
function objectText(members: readonly (readonly [path: string, json: string])[], space: string): string {
  const groups = new Map<string, (readonly [string, string])[]>();
  const own: (readonly [string, string])[] = [];
  for (const [path, json] of members) {
    const dot = path.indexOf('.');
    if (dot < 0) own.push([path, json]);
    else {
      const group = groups.get(path.slice(0, dot)) ?? [];
      group.push([path.slice(dot + 1), json]);
      groups.set(path.slice(0, dot), group);
    }
  }
  const texts = [...own, ...[...groups].map(([name, inside]) => [name, objectText(inside, space)] as const)];
  const parts = texts.map(([name, json]) => `${space}${JSON.stringify(name)}${space}:${space}${json}${space}`);
  return `{${parts.join(',')}}`;
}

const spaces = fc.constantFrom('', '', ' ', '\n\t', '\r\n  ');

/** Tables, and records of them in which every value is plain. */
const plainRecords = cases.chain((one) =>
  fc.tuple(
    fc.constant(one),
    fc.array(fc.tuple(...one.kinds.map(({ json }) => json)), { minLength: 1, maxLength: 4 }),
    spaces,
  ),
);

function plainText(one: Case, values: readonly string[], space: string): string {
  const members = values.map((json, at) => [one.paths[at] ?? '', json] as const);
  return objectText([['unknown', '{"x":[1,"y",null]}'], ...members], space);
}

test('straightMapper() takes every plain record, and writes what the reference writes', () => {
  fc.assert(
    fc.property(plainRecords, ([one, records, space]) => {
      const { agree } = bothWays(one.table, one.columns);
      for (const values of records) {
        const text = plainText(one, values, space);
        assert.ok(agree(record('k', text)), `left to the reference: ${text}`);
      }
    }),
    { numRuns: 1_000 },
  );
});

const shuffledMembers = (one: Case) =>
  fc
    .shuffledSubarray(one.paths.map((path, at) => ({ path, kind: one.kinds[at] })))
    .chain((chosen) =>
      fc.tuple(
        ...chosen.map(({ path, kind }) =>
          fc.tuple(
            fc.constant(path),
            kind ? fc.oneof({ weight: 3, arbitrary: kind.json }, { weight: 1, arbitrary: odd }) : odd,
          ),
        ),
      ),
    );

test('straightMapper() writes what the reference writes of odd records, or leaves them to it', () => {
  let straight = 0;
  fc.assert(
    fc.property(
      cases.chain((one) =>
        fc.tuple(fc.constant(one), fc.array(fc.tuple(shuffledMembers(one), spaces), { minLength: 1, maxLength: 5 })),
      ),
      ([one, records]) => {
        const { agree } = bothWays(one.table, one.columns, { mode: 'insert' });
        for (const [members, space] of records) if (agree(record('k', objectText(members, space)))) straight++;
      },
    ),
    { numRuns: 1_500 },
  );
  assert.ok(straight > 200, `${straight} were written straight`);
});

const mutation = fc.record({
  at: fc.nat(),
  byte: fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('"\\{}[],: 0-e.'))),
  how: fc.nat(8),
});

function mutate(bytes: Buffer, { at, byte, how }: { at: number; byte: number; how: number }): Buffer {
  const place = bytes.length === 0 ? 0 : at % bytes.length;
  if (how < 5) return Buffer.concat([bytes.subarray(0, place), Buffer.from([byte]), bytes.subarray(place + 1)]);
  if (how < 8) return Buffer.concat([bytes.subarray(0, place), Buffer.from([byte]), bytes.subarray(place)]);
  return bytes.subarray(0, place);
}

test('straightMapper() writes nothing of bytes that the reference refuses', () => {
  let straight = 0;
  fc.assert(
    fc.property(
      plainRecords,
      fc.array(mutation, { minLength: 1, maxLength: 6 }),
      ([one, records, space], mutations) => {
        const { agree } = bothWays(one.table, one.columns, { mode: 'insert' });
        const whole = Buffer.from(plainText(one, records[0] ?? [], space));
        // The plain record first, so that its spelling is remembered.
        agree({ ...record('k', ''), value: whole });
        for (const one of mutations) if (agree({ ...record('k', ''), value: mutate(whole, one) })) straight++;
      },
    ),
    { numRuns: 1_500 },
  );
  assert.ok(straight > 100, `${straight} were written straight`);
});
