import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pipeline } from '../../../shared/model/config/declaration.ts';
import { reverseBits } from '../../../shared/model/events/made-cells.ts';
import { plainColumn, plainTarget } from '../../shared/model/config/plain-pipeline.ts';
import { flights, openIngest } from './ingest-fixture.ts';

const TABLE = `CREATE TABLE Made (
  Bucket INT64 NOT NULL, Name STRING(MAX) NOT NULL, Reversed INT64 NOT NULL, Plain INT64, Day DATE, Hour TIMESTAMP,
  Seen TIMESTAMP, Place STRING(MAX), Fixed STRING(9), Half BOOL,
) PRIMARY KEY (Bucket, Name)`;

const made: Pipeline = {
  ...flights,
  name: 'made',
  targets: [
    plainTarget({
      table: 'Made',
      columns: [
        plainColumn('Bucket', { kind: 'hash', of: ['Name', 'Reversed', 'Seen', 'Half'], buckets: 97 }),
        plainColumn('Name', { kind: 'key' }),
        plainColumn('Reversed', { kind: 'field', path: 'n' }, { bitReverse: true }),
        plainColumn('Plain', { kind: 'field', path: 'n' }),
        plainColumn('Seen', { kind: 'field', path: 'at' }),
        plainColumn('Hour', { kind: 'field', path: 'at' }, { windowMs: 3_600_000 }),
        plainColumn('Place', { kind: 'record', part: 'topic' }),
        plainColumn('Fixed', { kind: 'constant', value: 'same' }),
        plainColumn('Half', { kind: 'field', path: 'half' }),
      ],
    }),
  ],
};

const numbers = [0n, 1n, -1n, 100n, -100n, 2n ** 63n - 1n, -(2n ** 63n), 1234567890123456789n];
const times = [
  '1969-12-31T23:59:59.999999999Z',
  '1970-01-01T00:00:00Z',
  '2024-02-29T12:34:56.7Z',
  '0001-01-01T00:30:00Z',
];

test('reverseBits() gives what GoogleSQL’s documentation shows for BIT_REVERSE(x, true)', () => {
  assert.equal(reverseBits(100n), 1369094286720630784n);
  assert.equal(reverseBits(-100n), -7133701809754865665n);
});

test('runKafkaSink() makes hashed, reversed and windowed columns as GoogleSQL computes them', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic();
  const [operation] = await ingest.database.updateSchema([TABLE]);
  await operation.promise();
  const messages = numbers.flatMap((n, at) =>
    times.map((time, place) => ({
      key: `${'näme '.repeat(at * 3)}${n}/${time}`,
      value: `{"n":${n},"at":${place === 1 ? 'null' : `"${time}"`},"half":${at % 2 === 0}}`,
    })),
  );
  await ingest.produce(messages);
  await ingest.sink(made);
  assert.deepEqual(await ingest.query('SELECT Reason FROM PenstockDeadLetters'), []);
  const [agrees] = await ingest.query(`SELECT COUNT(*) AS n,
    COUNTIF(Reversed = (SELECT SUM(((Plain >> i) & 1) << (62 - i)) FROM UNNEST(GENERATE_ARRAY(0, 62)) AS i)
      | IF(Plain < 0, 1 << 63, 0)) AS reversed,
    COUNTIF(Bucket = ABS(MOD(FARM_FINGERPRINT(CONCAT(Name, '\\x00', CAST(Reversed AS STRING), '\\x00',
      COALESCE(FORMAT_TIMESTAMP('%E4Y-%m-%dT%H:%M:%E*SZ', Seen, 'UTC'), ''), '\\x00', CAST(Half AS STRING))), 97))) AS hashed,
    COUNTIF(Seen IS NULL AND Hour IS NULL OR Hour = TIMESTAMP_TRUNC(Seen, HOUR, 'UTC')) AS windowed,
    COUNTIF(Place = 'flights' AND Fixed = 'same') AS plain,
    COUNT(DISTINCT Bucket) AS buckets FROM Made`);
  const counts = Object.fromEntries(Object.entries(agrees ?? {}).map(([name, value]) => [name, Number(value)]));
  const n = messages.length;
  const { buckets, ...exact } = counts;
  assert.deepEqual(exact, { n, reversed: n, hashed: n, windowed: n, plain: n });
  assert.ok((buckets ?? 0) > 10, 'rows are spread over the buckets');
});

test('runKafkaSink() sets a tombstone aside whose key stands on a field, and deletes by a hashed key otherwise', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic();
  const [operation] = await ingest.database.updateSchema([
    'CREATE TABLE Hashed (Bucket INT64 NOT NULL, Name STRING(MAX) NOT NULL, A INT64) PRIMARY KEY (Bucket, Name)',
  ]);
  await operation.promise();
  const bucket = plainColumn('Bucket', { kind: 'hash', of: ['Name'], buckets: 8 });
  const byKey = {
    ...made,
    targets: [plainTarget({ table: 'Hashed', columns: [bucket, plainColumn('Name', { kind: 'key' })] })],
  };
  await ingest.produce([
    { key: 'a', value: '{"A":1}' },
    { key: 'b', value: '{"A":1}' },
    { key: 'a', value: null },
  ]);
  await ingest.sink(byKey);
  assert.deepEqual(await ingest.query('SELECT Name FROM Hashed'), [{ Name: 'b' }]);
  const byField = { ...made, targets: [plainTarget({ table: 'Hashed', columns: [bucket] })], name: 'by-field' };
  await ingest.produce([{ key: 'b', value: null }]);
  await ingest.sink({
    ...byField,
    source: { kind: 'kafka', topics: ['flights'], pattern: undefined, group: 'by-field' },
  });
  const letters = await ingest.query('SELECT Class FROM PenstockDeadLetters WHERE RecordOffset = 3');
  assert.deepEqual(letters, [{ Class: 'unmappable' }]);
});
