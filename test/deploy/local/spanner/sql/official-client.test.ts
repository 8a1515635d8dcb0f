import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Spanner } from '@google-cloud/spanner';
import { objects, openClient } from '../open-client.ts';

const { database, close } = await openClient([
  `CREATE TABLE Flights (
     FlightId STRING(36) NOT NULL, Delay INT64, Miles FLOAT64, Fare NUMERIC, FlownOn DATE, Tags ARRAY<STRING(MAX)>,
     Facts JSON, UpdatedAt TIMESTAMP OPTIONS (allow_commit_timestamp = true)
   ) PRIMARY KEY (FlightId)`,
  'CREATE INDEX ByDelay ON Flights(Delay)',
]);
after(close);

await database.table('Flights').insert(
  Array.from({ length: 2000 }, (_, at) => ({
    FlightId: `f${at}`,
    Delay: at % 10,
    Miles: Spanner.float(at / 2),
    Fare: Spanner.numeric('12.50'),
    FlownOn: '2026-01-01',
    Tags: ['a', null],
    UpdatedAt: 'spanner.commit_timestamp()',
  })),
);

async function rows(sql: string, params: Record<string, unknown> = {}): Promise<unknown[]> {
  const [found] = await database.run({ sql, params, json: true });
  return objects(found);
}

test('the official client counts, groups and finds by parameters whose types it does not say', async () => {
  assert.deepEqual(await rows('SELECT COUNT(*) AS n, SUM(Fare) = 25000 AS ok FROM Flights'), [{ n: 2000, ok: true }]);
  assert.deepEqual(
    await rows(
      'SELECT Delay, COUNT(*) AS n FROM Flights@{FORCE_INDEX=ByDelay} WHERE Delay >= @least GROUP BY Delay ORDER BY 1',
      {
        least: 8,
      },
    ),
    [
      { Delay: 8, n: 200 },
      { Delay: 9, n: 200 },
    ],
  );
  assert.deepEqual(
    await rows('SELECT FlightId, Tags FROM Flights WHERE FlightId IN UNNEST(@ids) AND FlownOn = @on ORDER BY 1', {
      ids: ['f1', 'f2', 'none'],
      on: Spanner.date('2026-01-01'),
    }),
    [
      { FlightId: 'f1', Tags: ['a', null] },
      { FlightId: 'f2', Tags: ['a', null] },
    ],
  );
});

test('the official client reads arrays of structs and INFORMATION_SCHEMA', async () => {
  assert.deepEqual(
    await rows('SELECT ARRAY(SELECT AS STRUCT Delay, FlightId FROM Flights WHERE Miles < 1 ORDER BY FlightId) AS list'),
    [
      {
        list: [
          { Delay: 0, FlightId: 'f0' },
          { Delay: 1, FlightId: 'f1' },
        ],
      },
    ],
  );
  assert.deepEqual(
    await rows("SELECT index_name FROM information_schema.indexes WHERE table_name = 'Flights' ORDER BY 1"),
    [{ index_name: 'ByDelay' }, { index_name: 'PRIMARY_KEY' }],
  );
});

test('the official client sees what is wrong with its SQL', async () => {
  await assert.rejects(rows('SELECT nope FROM Flights'), /INVALID_ARGUMENT: Unrecognized name: nope \[at 1:8\]/);
});
