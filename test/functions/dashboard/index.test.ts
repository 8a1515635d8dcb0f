import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { type ControlDatabase, controlStatements, openControlDatabase } from './control-database.ts';
import { exampleFlights, fillEpoch, fillExample } from './example-tables.ts';

let folder = '';
let control: ControlDatabase;
let server: Server;
let url = '';

before(async () => {
  control = await openControlDatabase([]);
  folder = await mkdtemp(join(tmpdir(), 'penstock-dashboard-'));
  await import('../../../functions/dashboard/index.ts');
  server = getTestServer('dashboard').listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  url = `http://127.0.0.1:${address.port}`;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await control.close();
  await rm(folder, { recursive: true });
});

test('the function says what is missing and mends itself: declaration, control tables, then the page', async () => {
  const unset = await fetch(url);
  assert.deepEqual([unset.status, unset.headers.get('content-type')], [500, 'application/problem+json']);
  assert.match(await unset.text(), /"code":"CONFIG"/);

  process.env.PENSTOCK_DECLARATION = join(folder, 'declaration.json');
  await writeFile(process.env.PENSTOCK_DECLARATION, JSON.stringify(exampleFlights));
  assert.equal((await fetch(url)).status, 500, 'without access there is no page');

  process.env.PENSTOCK_DASHBOARD_ACCESS = 'open';
  const bare = await fetch(url);
  assert.equal(bare.status, 503);
  assert.match(await bare.text(), /npx penstock migrate/);
});

test('the function serves the page and the API from real control tables, with brokers and trainer down', async () => {
  const [operation] = await control.database.updateSchema(await controlStatements());
  await operation.promise();
  const nowMs = Date.now();
  await fillExample(control.database, nowMs);
  await fillEpoch(control.database, { id: 'delays-1', state: 'reading', plannedAtMs: nowMs - 9_000 }, [
    { state: 'done', rows: 1_000, batches: 1 },
    { state: 'reading', rows: 0, batches: 0 },
  ]);
  await untilServed();
  const page = await (await fetch(url)).text();
  assert.match(page, /Nothing is lost\./);
  assert.match(page, /Kafka does not answer/);
  assert.match(page, /The trainer does not answer/);
  const overview = await (await fetch(`${url}/api/overview`)).json();
  assert.ok(typeof overview === 'object' && overview !== null && 'epoch' in overview && 'deadLetters' in overview);
  const epoch = await (await fetch(`${url}/api/epochs/delays-1`)).json();
  assert.equal(JSON.stringify(epoch).includes('"share":0.5'), true);
});

/** What failed is kept for a second, so that a database that is down is not asked by every viewer. */
async function untilServed(): Promise<void> {
  for (const deadlineMs = Date.now() + 8_000; Date.now() < deadlineMs; ) {
    if ((await fetch(url)).ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail('The page did not come back');
}
