import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openSpannerServer } from '../../../deploy/local/spanner/server.ts';
import { counts, flight, openIngest, runSink, untilRows, watchedLog } from './ingest-fixture.ts';

test('runKafkaSink() waits for a Spanner that is down, at the start and between', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-sink-'));
  await using ingest = await openIngest({ spannerDir: dir });
  await ingest.createTopic();
  await ingest.produce([flight('F0')]);
  const port = Number(ingest.spannerServer.address.split(':')[1]);
  await ingest.spannerServer.close();
  const atStart = watchedLog('Spanner cannot be reached');
  const between = watchedLog('Cannot commit');
  const ending = new AbortController();
  const log = (severity: string, message: string): void => {
    atStart.log(severity, message);
    between.log(severity, message);
  };
  const running = runSink(ingest.declaration(counts), { signal: ending.signal, log, storeDeadlineMs: 1_000 });
  await atStart.seen;
  const second = await openSpannerServer({ dir, port });
  await untilRows(ingest, 1, 'Counts');
  await second.close();
  await ingest.produce([flight('F1')]);
  await between.seen;
  const third = await openSpannerServer({ dir, port });
  await untilRows(ingest, 1, 'Counts WHERE FlightCount = 2');
  ending.abort();
  await running;
  await third.close();
  rmSync(dir, { recursive: true });
});
