import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openFaultyProxy } from '../../shared/adapters/spanner/faulty-proxy.ts';
import { flight, flights, openIngest, runSink, untilRows, watchedLog } from './ingest-fixture.ts';

const UNAVAILABLE = { status: 14, message: 'gone for a moment' };

// Before a record that Spanner refused is set aside, its table is looked at: an outage just then ended the worker.
test('runKafkaSink() waits where Spanner goes away between refusing a record and showing its table', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic();
  const [operation] = await ingest.database.updateSchema(['CREATE UNIQUE INDEX OnePerOrigin ON Flights (Origin)']);
  await operation.promise();
  const proxy = await openFaultyProxy(ingest.spannerServer.address);
  const direct = process.env.SPANNER_EMULATOR_HOST;
  process.env.SPANNER_EMULATOR_HOST = proxy.address;
  const ending = new AbortController();
  const waiting = watchedLog('Cannot read the schema');
  const log = (severity: string, message: string): void => {
    if (severity === 'WARNING') waiting.log(severity, message);
  };
  const declaration = ingest.declaration(flights);
  const running = runSink(declaration, { signal: ending.signal, log, storeDeadlineMs: 200 });
  running.catch(() => {});
  try {
    await ingest.produce([flight('F0')]);
    await untilRows(ingest, 1);
    proxy.setFault((method) => (method === 'ExecuteStreamingSql' ? UNAVAILABLE : 'none'));
    await ingest.produce([flight('F1')]);
    await Promise.race([waiting.seen, running]);
    proxy.setFault(() => 'none');
    await Promise.race([untilRows(ingest, 1, 'PenstockDeadLetters'), running]);
    const letters = await ingest.query('SELECT Class, RecordOffset FROM PenstockDeadLetters');
    assert.deepEqual(letters, [{ Class: 'constraint', RecordOffset: 1 }]);
  } finally {
    ending.abort();
    process.env.SPANNER_EMULATOR_HOST = direct;
    await Promise.allSettled([running]);
    await proxy.close();
  }
});
