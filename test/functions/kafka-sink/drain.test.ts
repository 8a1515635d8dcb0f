import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { type DrainReport, drainHandler } from '../../../functions/kafka-sink/handler.ts';
import { runKafkaSink } from '../../../functions/kafka-sink/run-kafka-sink.ts';
import { UnauthenticatedError, type VerifyToken } from '../../../shared/adapters/identity/verify-token.ts';
import { noLog } from '../../../shared/base/log.ts';
import { counts, flight, type Ingest, openIngest } from './ingest-fixture.ts';

const EVENTS = 1_000;
const verify: VerifyToken = async (authorization) => {
  if (String(authorization) !== 'Bearer good') throw new UnauthenticatedError('no bearer token', 'no');
  return { issuer: 'test', subject: '1', email: undefined, groups: [], kind: 'service', name: 'test#1' };
};

/** The door of the function, with the real sink behind it. */
async function openDoor(
  context: TestContext,
  ingest: Ingest,
  { deadlineMs, onRun = () => {} }: { readonly deadlineMs: number; readonly onRun?: () => void },
) {
  const handle = drainHandler(
    async () => ({
      verify,
      admit: () => {},
      deadlineMs,
      run: (options) => {
        onRun();
        const declaration = ingest.declaration({ ...counts, batch: { ...counts.batch, maxRows: 50 } });
        return runKafkaSink({ ...options, declaration, pipelines: [], log: noLog, identity: 'tester' });
      },
    }),
    { log: noLog, refused: () => false, ending: new AbortController().signal },
  );
  const server = createServer((request, response) => void handle(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return async (token = 'good'): Promise<{ readonly status: number; readonly report: DrainReport }> => {
    const answer = await fetch(`http://127.0.0.1:${address.port}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
    return { status: answer.status, report: JSON.parse(await answer.text()) };
  };
}

async function produceFlights(ingest: Ingest): Promise<void> {
  await ingest.createTopic(2);
  await ingest.produce(Array.from({ length: EVENTS }, (_, at) => flight(`F${at}`, at)));
}

async function counted(ingest: Ingest): Promise<{ readonly rows: number; readonly passed: number }> {
  const [group] = await ingest.query('SELECT COALESCE(SUM(FlightCount), 0) AS n FROM Counts');
  const [checkpoint] = await ingest.query('SELECT COALESCE(SUM(NextOffset), 0) AS n FROM PenstockCheckpoints');
  return { rows: Number(group?.n), passed: Number(checkpoint?.n) };
}

test('drainHandler() moves what the topics hold and says how much, once for all who ask meanwhile', async (context) => {
  await using ingest = await openIngest();
  await produceFlights(ingest);
  let runs = 0;
  const drain = await openDoor(context, ingest, {
    deadlineMs: 150_000,
    onRun: () => {
      runs += 1;
    },
  });
  assert.equal((await drain('stranger')).status, 401);
  const answers = await Promise.all([drain(), drain(), drain()]);
  assert.equal(runs, 1);
  for (const { status, report } of answers) {
    assert.equal(status, 200);
    assert.deepEqual([report.caughtUp, report.rows, report.deadLetters], [true, EVENTS, 0]);
    assert.ok(report.commits >= EVENTS / 50);
  }
  assert.deepEqual(await counted(ingest), { rows: EVENTS, passed: EVENTS });
  const { report } = await drain();
  assert.deepEqual([report.caughtUp, report.commits], [true, 0], 'a second drain finds nothing');
});

test('drainHandler() leaves at its deadline with every commit whole, and the next drains go on from there', async (context) => {
  // Commits of 50 rows: the first drain gets no further than twelve of them, however fast the machine is.
  let aborting = true;
  await using ingest = await openIngest({ abortCommits: (commitNumber) => aborting && commitNumber > 12 });
  await produceFlights(ingest);
  const hurried = await openDoor(context, ingest, { deadlineMs: 1_500 });
  const { status, report } = await hurried();
  assert.deepEqual([status, report.caughtUp], [200, false]);
  const before = await counted(ingest);
  assert.equal(before.rows, before.passed, 'what was counted is what the checkpoints say');
  assert.ok(before.rows < EVENTS);
  aborting = false;
  const patient = await openDoor(context, ingest, { deadlineMs: 150_000 });
  const rest = await patient();
  assert.equal(rest.report.caughtUp, true);
  assert.deepEqual(await counted(ingest), { rows: EVENTS, passed: EVENTS });
});
