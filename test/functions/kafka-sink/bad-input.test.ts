import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flight, flights, openIngest } from './ingest-fixture.ts';

const MIB = 1024 * 1024;

test('runKafkaSink() sets every kind of bad record aside, and takes the good ones around them', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic();
  const bad: [class_: string, key: string | null, value: string | Buffer | null][] = [
    ['undecodable', 'bad-json', '{"date": '],
    ['undecodable', 'empty', ''],
    ['undecodable', 'nan', '{"date":"2001/01/01 00:47","delay":NaN,"origin":"ORD"}'],
    ['undecodable', 'utf-8', Buffer.concat([Buffer.from('{"origin":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')])],
    ['unmappable', 'missing', '{"delay":1,"origin":"ORD"}'],
    ['unmappable', 'mistyped', flight('', 'soon').value],
    ['unmappable', 'null', flight('', 1, null).value],
    ['unmappable', 'beyond 2^63', '{"date":"2001/01/01 00:47","delay":9223372036854775808,"origin":"ORD"}'],
    ['unmappable', 'fraction', flight('', 1.5).value],
    ['unmappable', 'bad date', '{"date":"2001/02/30 00:47","delay":1,"origin":"ORD"}'],
    ['unmappable', 'long text', flight('', 1, 'CHICAGO').value],
    ['unmappable', 'k'.repeat(65), flight('').value],
    ['unmappable', null, flight('').value],
    ['unmappable', 'not an object', '[1]'],
    ['too-large', 'large', `{"date":"2001/01/01 00:47","delay":1,"origin":"${'x'.repeat(12 * MIB)}"}`],
  ];
  for (const [at, [, key, value]] of bad.entries()) {
    await ingest.produce([flight(`good-${at}`), { key, value }]);
  }
  await ingest.produce([
    { key: 'beyond 2^53', value: '{"date":"2001/01/01 00:47","delay":9007199254740993,"origin":"ORD","unknown":[1]}' },
  ]);
  await ingest.sink(flights);

  const rows = await ingest.query("SELECT FlightId FROM Flights WHERE FlightId LIKE 'good-%'");
  assert.equal(rows.length, bad.length);
  const [wide] = await ingest.query(
    "SELECT CAST(DelayMinutes AS STRING) AS d FROM Flights WHERE FlightId = 'beyond 2^53'",
  );
  assert.equal(wide?.d, '9007199254740993');
  const letters = await ingest.query(
    'SELECT RecordOffset, Class, Reason, PartCount, ValueBytes FROM PenstockDeadLetters WHERE Part = 0 ORDER BY RecordOffset',
  );
  assert.deepEqual(
    letters.map(({ Class }) => Class),
    bad.map(([class_]) => class_),
  );
  assert.deepEqual(
    letters.map(({ RecordOffset }) => RecordOffset),
    bad.map((_, at) => at * 2 + 1),
  );
  const large = letters.at(-1);
  assert.equal(large?.PartCount, 2);
  const [parts] = await ingest.database.table('PenstockDeadLetters').read({
    keys: [0, 1].map((part) => ['flights', `flights/0/${large?.RecordOffset}`, String(part)]),
    columns: ['RecordValue'],
  });
  const bytes = Buffer.concat(parts.map((row) => Buffer.from(row.toJSON().RecordValue)));
  assert.equal(bytes.toString(), bad.at(-1)?.[2], 'all bytes are kept');
});

test('runKafkaSink() finds the one record that Spanner refuses, and sets aside no other', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic();
  const [operation] = await ingest.database.updateSchema([
    'ALTER TABLE Flights ADD CONSTRAINT Unlucky CHECK (DelayMinutes != 17)',
  ]);
  await operation.promise();
  await ingest.produce(Array.from({ length: 40 }, (_, at) => flight(`F${at}`, at)));
  await ingest.sink(flights);
  const letters = await ingest.query('SELECT RecordOffset, Class FROM PenstockDeadLetters');
  assert.deepEqual(letters, [{ RecordOffset: 17, Class: 'constraint' }]);
  const [row] = await ingest.query('SELECT COUNT(*) AS n, SUM(DelayMinutes) AS delays FROM Flights');
  assert.deepEqual(row, { n: 39, delays: (39 * 40) / 2 - 17 });
});
