import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openSpannerServer } from '../../../../deploy/local/spanner/server.ts';
import { type DatePart, datePart, datePartNames } from '../../../../shared/model/tensors/date-part.ts';
import { batchEncoder } from '../../../../shared/model/tensors/encode-batch.ts';
import type { HashedType } from '../../../../shared/model/tensors/fitted.ts';
import { zoneClock } from '../../../../shared/model/tensors/zone-clock.ts';
import { openTestDatabase, type TestDatabase } from '../../adapters/spanner/test-database.ts';
import { columnOf, type Plain } from './plain-columns.ts';

let opened: TestDatabase;
let closeServer: () => Promise<void>;

before(async () => {
  const server = await openSpannerServer();
  closeServer = () => server.close();
  opened = await openTestDatabase(server.address, ['CREATE TABLE T (Id INT64) PRIMARY KEY (Id)']);
});

after(async () => {
  await opened.close();
  await closeServer();
});

async function query(sql: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>[]> {
  const [rows] = await opened.database.run({ sql, params, json: true });
  return rows as unknown as Record<string, unknown>[];
}

const extracts: Readonly<Record<DatePart, string>> = {
  year: 'YEAR',
  isoYear: 'ISOYEAR',
  quarter: 'QUARTER',
  month: 'MONTH',
  week: 'WEEK',
  isoWeek: 'ISOWEEK',
  day: 'DAY',
  dayOfYear: 'DAYOFYEAR',
  weekday: 'DAYOFWEEK',
  hour: 'HOUR',
  minute: 'MINUTE',
  second: 'SECOND',
  millisecond: 'MILLISECOND',
  microsecond: 'MICROSECOND',
  nanosecond: 'NANOSECOND',
};

test('datePart() gives what EXTRACT gives of instants of all years, at borders of years and weeks, in several zones', async () => {
  // Every 61 days and some hours from 1900 to 2100; and noon of the days around each new year from 2000 to 2030.
  const instants = Array.from({ length: 1_200 }, (_, at) => Date.UTC(1900, 0, 1) / 1000 + at * 5_299_277);
  for (let year = 2000; year <= 2030; year += 1) {
    for (let day = -7; day <= 7; day += 1) instants.push(Date.UTC(year, 0, 1, 12) / 1000 + day * 86_400);
  }
  instants.push(-62_135_500_000, 253_402_200_000);
  for (const zone of ['UTC', 'America/Chicago', 'Asia/Kolkata', 'Pacific/Auckland']) {
    const fields = datePartNames
      .filter((part) => part !== 'nanosecond')
      .map((part) => `EXTRACT(${extracts[part]} FROM t AT TIME ZONE '${zone}') AS ${part}`)
      .join(', ');
    const sql = `SELECT s, ${fields} FROM (SELECT s, TIMESTAMP_ADD(TIMESTAMP_SECONDS(s), INTERVAL 987654 MICROSECOND) AS t FROM UNNEST(@instants) AS s)`;
    const rows = await query(sql, { instants });
    assert.equal(rows.length, instants.length);
    const clock = zoneClock(zone);
    for (const row of rows) {
      const seconds = Number(row.s);
      for (const part of datePartNames) {
        if (part === 'nanosecond') continue;
        // EXTRACT counts weekdays from 1, which is Sunday.
        const wanted = part === 'weekday' ? (Number(row[part]) + 5) % 7 : Number(row[part]);
        assert.equal(datePart(part, seconds + clock(seconds), 987_654_321), wanted, `${part} of ${seconds} in ${zone}`);
      }
    }
  }
  assert.equal(datePart('nanosecond', 0, 987_654_321), 987_654_321);
});

test('batchEncoder() hashes columns and crosses as FARM_FINGERPRINT in ZetaSQL does, for every type', async () => {
  const of: readonly (readonly [HashedType, string, readonly Plain[]])[] = [
    ['STRING', 't', ['', 'a', 'ünïcode 漢字', 'x'.repeat(7), 'y'.repeat(33), 'z'.repeat(200)]],
    ['INT64', 'CAST(t AS STRING)', [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]],
    ['BOOL', 'CAST(t AS STRING)', [true, false]],
    ['DATE', 'CAST(DATE(t) AS STRING)', ['0001-01-01', '1970-01-01', '9999-12-31']],
    ['BYTES', 'CODE_POINTS_TO_BYTES(t)', [Buffer.of(0, 255, 128), Buffer.of(), Buffer.alloc(40, 7)]],
  ];
  for (const [type, text, values] of of) {
    const literal = values.map((value) => literalOf(type, value)).join(', ');
    const sql = `SELECT ABS(MOD(FARM_FINGERPRINT(${text}), 1009)) AS alone, ABS(MOD(FARM_FINGERPRINT(${crossed(type, text)}), 16000000)) AS crossed FROM UNNEST([${literal}]) AS t WITH OFFSET AS place ORDER BY place`;
    const rows = await query(sql.replaceAll('CODE_POINTS_TO_BYTES(t)', 't').replaceAll('DATE(t)', 't'));
    const block = {
      rowCount: values.length,
      columns: [
        columnOf(type, values),
        columnOf(
          'STRING',
          values.map(() => 'other'),
        ),
      ],
    };
    const base = { column: 'A', kind: 'hash', type, oneHot: false, fillNull: null } as const;
    const encoder = batchEncoder(
      [
        { ...base, tensor: 'alone', cross: null, buckets: 1009 },
        { ...base, tensor: 'crossed', cross: { column: 'B', type: 'STRING' }, buckets: 16_000_000 },
      ],
      ['A', 'B'],
    );
    const body = encoder.encode(block, Int32Array.from(values.keys()), {});
    const ids = new Int32Array(Uint8Array.from(body.subarray(body.length - values.length * 8)).buffer);
    assert.deepEqual(
      [...ids],
      [...rows.map(({ alone }) => Number(alone)), ...rows.map((row) => Number(row.crossed))],
      type,
    );
  }
});

function crossed(type: HashedType, text: string): string {
  return type === 'BYTES' ? `CONCAT(${text}, b'\\x1f', b'other')` : `CONCAT(${text}, '\\x1f', 'other')`;
}

function literalOf(type: HashedType, value: Plain): string {
  if (value instanceof Uint8Array)
    return `b'${[...value].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}'`;
  if (type === 'INT64') return value === -(2n ** 63n) ? '-9223372036854775807 - 1' : String(value);
  if (type === 'BOOL') return String(value);
  return type === 'DATE' ? `DATE '${value}'` : `'${value}'`;
}
