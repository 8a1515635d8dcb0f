import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pipeline } from '../../../shared/model/config/declaration.ts';
import { plainColumn, withTarget } from '../../shared/model/config/plain-pipeline.ts';
import {
  counts,
  flight,
  flights,
  from,
  type Ingest,
  openIngest,
  runSink,
  untilRows,
  watchedLog,
} from './ingest-fixture.ts';

async function change(ingest: Ingest, ...statements: string[]): Promise<void> {
  const [operation] = await ingest.database.updateSchema(statements);
  await operation.promise();
}

async function columnsOf(ingest: Ingest, table: string): Promise<unknown[]> {
  const rows = await ingest.query(`SELECT COLUMN_NAME AS name, SPANNER_TYPE AS type FROM INFORMATION_SCHEMA.COLUMNS
    WHERE TABLE_NAME = '${table}' AND TABLE_SCHEMA = '' ORDER BY ORDINAL_POSITION`);
  return rows.map(({ name, type }) => `${name} ${type}`);
}

test('runKafkaSink() with onDrift add-column adds what is declared and missing, once, whichever worker sees it', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic(2);
  const more = [
    from('Landed', 'landed', 'yyyy-MM-dd HH:mm'),
    from('Extras', 'extras'),
    plainColumn('SourceOffset', { kind: 'record', part: 'offset' }),
    plainColumn('Slot', { kind: 'field', path: 'at' }, { windowMs: 60_000 }),
  ];
  const columns = [...(flights.targets[0]?.columns ?? []), ...more];
  const drifting: Pipeline = { ...withTarget(flights, { columns }), onDrift: 'add-column' };
  const value = {
    ...JSON.parse(flight('').value),
    landed: '2001-01-01 02:00',
    extras: { meal: ['fish', 12345678901234567890n] },
    at: '2001-01-01T02:03:04Z',
  };
  const text = JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? JSON.rawJSON(String(one)) : one));
  await ingest.produce([
    { key: 'a', value: text, partition: 0 },
    { key: 'b', value: text, partition: 1 },
  ]);
  await Promise.all([ingest.sink(drifting), ingest.sink(drifting)]);
  assert.deepEqual((await columnsOf(ingest, 'Flights')).slice(4), [
    'Landed TIMESTAMP',
    'Extras JSON',
    'SourceOffset INT64',
    'Slot TIMESTAMP',
  ]);
  const rows = await ingest.query(`SELECT FlightId, TO_JSON_STRING(Extras) AS extras, SourceOffset AS o,
    FORMAT_TIMESTAMP('%H:%M:%S', Slot, 'UTC') AS slot FROM Flights ORDER BY FlightId`);
  const extras = '{"meal":["fish",12345678901234567890]}';
  assert.deepEqual(rows, [
    { FlightId: 'a', extras, o: 0, slot: '02:03:00' },
    { FlightId: 'b', extras, o: 0, slot: '02:03:00' },
  ]);

  const total = { column: 'Total', function: 'sum', field: 'delay', by: undefined } as const;
  const groupBy = [from('Origin', 'origin')];
  const last = { column: 'Last', function: 'last', field: 'delay', by: { column: 'LastAt', field: 'delay' } } as const;
  const counting: Pipeline = {
    ...withTarget(counts, {
      aggregate: { groupBy, into: [...(counts.targets[0]?.aggregate?.into ?? []), total, last] },
    }),
    onDrift: 'add-column',
  };
  await ingest.sink(counting);
  assert.deepEqual((await columnsOf(ingest, 'Counts')).slice(4), ['Total NUMERIC', 'Last JSON', 'LastAt INT64']);
});

test('runKafkaSink() refuses a declared column that is missing unless onDrift says otherwise', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic();
  const columns = [...(flights.targets[0]?.columns ?? []), from('Nowhere', 'nowhere')];
  await ingest.produce([flight('a')]);
  const drifting = withTarget(flights, { columns });
  await assert.rejects(ingest.sink(drifting), { code: 'CONFIG', message: /has no column Nowhere/ });
  await ingest.sink({ ...drifting, onDrift: 'ignore' });
  assert.deepEqual(await ingest.query('SELECT FlightId FROM Flights'), [{ FlightId: 'a' }]);
});

test('runKafkaSink() sees without a restart that its table has changed', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic();
  await ingest.produce([flight('before')]);
  const ending = new AbortController();
  const changed = watchedLog('has changed since the pipeline was compiled');
  const running = runSink(ingest.declaration(flights), { signal: ending.signal, log: changed.log, tableCheckMs: 50 });
  await untilRows(ingest, 1);
  await change(ingest, 'ALTER TABLE Flights ADD COLUMN Gate STRING(MAX)');
  await changed.seen;
  await ingest.produce([{ key: 'after', value: JSON.stringify({ ...JSON.parse(flight('').value), Gate: 'B7' }) }]);
  await untilRows(ingest, 2);
  ending.abort();
  await running;
  const rows = await ingest.query('SELECT FlightId, Gate FROM Flights ORDER BY FlightId');
  assert.deepEqual(rows, [
    { FlightId: 'after', Gate: 'B7' },
    { FlightId: 'before', Gate: null },
  ]);
});

test('runKafkaSink() ends where its table no longer fits, and says in what', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic();
  await ingest.produce([flight('before')]);
  const running = runSink(ingest.declaration(flights), { signal: AbortSignal.timeout(20_000), tableCheckMs: 50 });
  const outcome = assert.rejects(running, { code: 'CONFIG', message: /has no column DelayMinutes/ });
  await untilRows(ingest, 1);
  await change(ingest, 'ALTER TABLE Flights DROP COLUMN DelayMinutes');
  await outcome;
});
