import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compareKeys,
  type Key,
  type KeyCode,
  type KeyColumn,
  type KeyPart,
} from '../../../../shared/model/epochs/key.ts';
import { KeyProber, probeRows } from '../../../../shared/model/epochs/key-prober.ts';
import { cutKeyRange } from '../../../../shared/model/epochs/key-range.ts';
import { answer, rowsBefore, tableOf, type VirtualTable } from './virtual-table.ts';

const HEAD = 1_000;

function columns(...codes: (KeyCode | `${KeyCode} DESC`)[]): KeyColumn[] {
  const known: readonly string[] = codes;
  return known.map((code, at) => ({
    name: `K${at}`,
    code: code.replace(' DESC', '') as KeyCode,
    descending: code.endsWith('DESC'),
  }));
}

/** A number from 0 to 2^32, the same for the same row. */
function hashed(row: number, salt = 0): number {
  return createHash('md5').update(`${row}/${salt}`).digest().readUInt32LE(0);
}

function uuid(row: number): string {
  const hex = createHash('md5').update(String(row)).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function made(key: readonly KeyColumn[], count: number, at: (row: number) => Key): VirtualTable {
  return tableOf(
    key,
    Array.from({ length: count }, (_, row) => at(row)),
  );
}

interface Sampled {
  readonly probes: number;
  readonly estimate: number;
  readonly sizes: readonly number[];
}

/** Probes a table behind its head, and cuts it. */
function sample(table: VirtualTable, parts: number, head = HEAD): Sampled {
  const known = Array.from({ length: probeRows }, (_, at) => table.at(head - probeRows + at));
  const prober = new KeyProber(table.columns, known, table.at(table.count - 1));
  let probes = 0;
  for (let asked = prober.next(16, parts); asked.length > 0; asked = prober.next(16, parts)) {
    for (const probe of asked) prober.take(probe, answer(table, probe));
    probes += asked.length;
    assert.ok(probes < 2_048, 'it goes on and on');
  }
  prober.settle();
  const samples = [{ key: table.at(0), rows: head - 1 }, ...prober.samples()];
  const cuts = cutKeyRange(samples, parts).map(({ from, to }) => [
    from ? rowsBefore(table, from) : 0,
    to ? rowsBefore(table, to) : table.count,
  ]);
  const sizes = cuts.map(([from = 0, to = 0]) => to - from);
  return { probes, estimate: head + prober.rowCount, sizes };
}

const tables: Readonly<Record<string, VirtualTable>> = {
  'ten million numbers in a row': { columns: columns('INT64'), count: 10_000_000, at: (row) => [String(row + 5)] },
  'ten million padded texts': {
    columns: columns('STRING'),
    count: 10_000_000,
    at: (row) => [`f${String(row).padStart(9, '0')}`],
  },
  'ten million times, the latest first': {
    columns: columns('TIMESTAMP DESC'),
    count: 10_000_000,
    at: (row) => [new Date(1.7e12 - row * 250).toISOString().replace('.000', '')],
  },
  'ten million cubes': { columns: columns('INT64'), count: 2_000_000, at: (row) => [String(BigInt(row) ** 3n)] },
  UUIDs: made(columns('UUID'), 40_000, (row) => [uuid(row)]),
  'UUIDs as texts': made(columns('STRING'), 40_000, (row) => [uuid(row)]),
  hashes: made(columns('BYTES'), 40_000, (row) => [createHash('md5').update(String(row)).digest('base64')]),
  'nine of ten in a narrow range': made(columns('INT64'), 40_000, (row) => [
    String(row % 10 === 0 ? hashed(row) * 1_000 : 10 ** 12 + row),
  ]),
  'nine of ten under one prefix': made(columns('STRING', 'INT64'), 40_000, (row) => [
    row % 10 === 0 ? `r${hashed(row) % 500}` : 'us-east',
    String(row),
  ]),
  'nine of ten under one beginning of a text': made(columns('STRING'), 40_000, (row) => [
    row % 10 === 0 ? `${uuid(row).slice(0, 6)}/${row}` : `tenant/${String(row).padStart(8, '0')}`,
  ]),
  'users of very different activity': made(columns('INT64', 'DATE DESC', 'INT64'), 40_000, (row) => [
    String(Math.floor((hashed(row) / 2 ** 32) ** 3 * 2_000)),
    new Date(1.6e12 + (row % 300) * 86_400_000).toISOString().slice(0, 10),
    String(row),
  ]),
  'buckets before ids': made(columns('INT64', 'STRING'), 40_000, (row) => [String(row % 32), `f${row}`]),
  'NULL in every second row': made(columns('INT64', 'INT64'), 40_000, (row) => [row % 2 ? null : `${row}`, `${row}`]),
  floats: made(columns('FLOAT64'), 40_000, (row) => [(hashed(row) - 2 ** 31) * 10 ** (row % 5)]),
  amounts: made(columns('NUMERIC', 'BOOL'), 40_000, (row) => [
    `${hashed(row) % 9_000}.${(row % 9) + 1}`,
    row % 7 === 0,
  ]),
};

for (const [name, table] of Object.entries(tables)) {
  test(`KeyProber cuts ${name} evenly, by some hundred probes`, () => {
    const { probes, estimate, sizes } = sample(table, 32);
    const mean = table.count / 32;
    const told = `${probes} probes, ${estimate} of ${table.count} rows, ${sizes.join(' ')}`;
    assert.ok(sizes.length >= 30, told);
    assert.ok(Math.max(...sizes) < mean * 3, told);
    assert.ok(estimate > table.count / 2 && estimate < table.count * 2, told);
    assert.ok(probes < 700, told);
  });
}

const parts: Readonly<Record<KeyCode, fc.Arbitrary<KeyPart>>> = {
  BOOL: fc.boolean(),
  INT64: fc.oneof(
    fc.integer({ min: -3, max: 3 }).map(String),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  ),
  FLOAT32: fc.constantFrom(0, 1.5, -2, 'NaN', 'Infinity', '-Infinity'),
  FLOAT64: fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom('NaN', 'Infinity', '-Infinity'),
  ),
  NUMERIC: fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }).map((whole) => `${whole}.5`),
  STRING: fc.oneof(
    fc.string({ unit: 'binary', maxLength: 4 }),
    fc.constantFrom('', 'a', 'aa', 'a\u0000', '\uffff', '😀'),
  ),
  BYTES: fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  DATE: fc
    .date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T00:00:00Z'), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10)),
  TIMESTAMP: fc.constantFrom(
    '0001-01-01T00:00:00Z',
    '2026-11-21T07:00:00.1Z',
    '2026-11-21T07:00:00.100000001Z',
    '9999-12-31T23:59:59.999999999Z',
  ),
  UUID: fc.uuid(),
};

const anyTable = fc
  .array(fc.record({ code: fc.constantFrom(...(Object.keys(parts) as KeyCode[])), descending: fc.boolean() }), {
    minLength: 1,
    maxLength: 3,
  })
  .chain((types) => {
    const key: KeyColumn[] = types.map((type, at) => ({ name: `K${at}`, ...type }));
    const keys = fc.array(fc.tuple(...key.map(({ code }) => fc.option(parts[code], { freq: 8 }))), {
      minLength: 40,
      maxLength: 150,
    });
    return keys.map((all) => tableOf(key, all));
  });

test('KeyProber comes to an end on every table, and its samples are keys of the table, in order, that stand for rows', () => {
  fc.assert(
    fc.property(anyTable, fc.integer({ min: 1, max: 40 }), (table, wanted) => {
      fc.pre(table.count > probeRows + 1);
      const known = Array.from({ length: probeRows }, (_, at) => table.at(at));
      const prober = new KeyProber(table.columns, known, table.at(table.count - 1));
      let probes = 0;
      for (let asked = prober.next(4, wanted); asked.length > 0; asked = prober.next(4, wanted)) {
        for (const probe of asked) prober.take(probe, answer(table, probe));
        probes += asked.length;
        assert.ok(probes < 2_048, 'it goes on and on');
      }
      prober.settle();
      const samples = prober.samples();
      for (const [at, { key, rows }] of samples.entries()) {
        assert.ok(rows > 0 && Number.isFinite(rows));
        assert.deepEqual(table.at(rowsBefore(table, key)), key);
        const next = samples[at + 1];
        if (next) assert.ok(compareKeys(table.columns, key, next.key) < 0);
      }
    }),
  );
});
