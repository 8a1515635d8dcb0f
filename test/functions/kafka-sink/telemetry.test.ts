import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runKafkaSink } from '../../../functions/kafka-sink/run-kafka-sink.ts';
import { openTelemetry } from '../../../shared/adapters/telemetry/open-telemetry.ts';
import { type Log, noLog } from '../../../shared/base/log.ts';
import type { Pipeline } from '../../../shared/model/config/declaration.ts';
import { type OtlpReceiver, openOtlpReceiver } from '../../shared/adapters/telemetry/otlp-receiver.ts';
import { flight, flights, type Ingest, openIngest, untilRows } from './ingest-fixture.ts';

const traceparent = (trace: string, span: string): string => `00-${trace.repeat(32)}-${span.repeat(16)}-01`;

async function sinkWith(ingest: Ingest, receiver: OtlpReceiver, pipeline: Pipeline, log: Log = noLog): Promise<void> {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url;
  try {
    const telemetry = await openTelemetry(process.env, 'kafka-sink', noLog);
    assert.ok(telemetry);
    const until = { untilCaughtUp: true, signal: AbortSignal.timeout(30_000) };
    const declaration = ingest.declaration(pipeline);
    const sink = { declaration, pipelines: [], ...until, log, identity: 'sink@example.com', telemetry };
    await runKafkaSink(sink).finally(() => telemetry.close());
  } finally {
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  }
}

test('runKafkaSink() sends its figures by OTLP, one series a partition', async () => {
  await using receiver = await openOtlpReceiver();
  await using ingest = await openIngest();
  await ingest.createTopic(2);
  const happenedAt = Date.now() - 20_000;
  const messages = Array.from({ length: 40 }, (_, at) => ({ ...flight(`F${at}`), partition: at % 2 }));
  messages.push({ key: 'bad', value: '{', partition: 0 }, { key: 'odd', value: '{"origin":7}', partition: 0 });
  await ingest.producer.send({
    topic: 'flights',
    messages: messages.map((message) => ({ ...message, timestamp: String(happenedAt) })),
  });
  ingest.spannerServer.setAbortRate(0.5, 11);
  await sinkWith(ingest, receiver, { ...flights, batch: { ...flights.batch, maxRows: 4 } });

  assert.deepEqual([...receiver.serviceNames], ['kafka-sink']);
  const series = (metric: string) =>
    receiver
      .points(`penstock.ingest.${metric}`)
      .toSorted((a, b) => Number(a.attributes.partition) - Number(b.attributes.partition));
  const values = (metric: string) => series(metric).map(({ value }) => value);
  assert.deepEqual(
    series('rows').map(({ attributes }) => attributes),
    [0, 1].map((partition) => ({ pipeline: 'flights', topic: 'flights', partition })),
  );
  assert.deepEqual(values('rows'), [20, 20]);
  assert.deepEqual(values('lag.records'), [0, 0]);
  assert.deepEqual(values('lag.seconds'), [0, 0]);
  const poison = series('poison').map(({ attributes, value }) => [attributes.class, attributes.partition, value]);
  assert.deepEqual(poison.toSorted(), [
    ['undecodable', 0, 1],
    ['unmappable', 0, 1],
  ]);
  assert.ok(
    values('aborts').some((value) => Number(value) > 0),
    'no abort was counted',
  );
  const [late] = series('event_to_commit');
  assert.equal(late?.count, 22);
  assert.equal(late?.unit, 's');
  assert.ok((late?.sum ?? 0) / 22 >= 20 && (late?.sum ?? 0) / 22 < 60, `mean ${(late?.sum ?? 0) / 22} s`);
  const [durations, rows] = [series('commit.duration')[1], series('batch.rows')[1]];
  assert.equal(durations?.count, values('commits')[1]);
  assert.equal(rows?.sum, 20);
  assert.ok((durations?.sum ?? 0) > 0);
});

test('runKafkaSink() tells how far it is behind, in records and in seconds', async () => {
  await using receiver = await openOtlpReceiver();
  await using ingest = await openIngest();
  await ingest.createTopic(2);
  const ago = (seconds: number) => ({ timestamp: String(Date.now() - seconds * 1_000), partition: 0 });
  await ingest.producer.send({
    topic: 'flights',
    messages: [
      { ...flight('F1'), ...ago(9_000) },
      { ...flight('F2'), ...ago(8_000) },
      { key: 'bad', value: '{', ...ago(700) },
      { ...flight('F4'), ...ago(60) },
    ],
  });
  const stopping: Pipeline = { ...flights, batch: { ...flights.batch, maxRows: 1 }, onPoison: 'stop' };
  await assert.rejects(sinkWith(ingest, receiver, stopping), { code: 'POISON_STOP' });
  const [records] = receiver.points('penstock.ingest.lag.records');
  assert.deepEqual([records?.attributes.partition, records?.value], [0, 2]);
  const seconds = receiver.points('penstock.ingest.lag.seconds')[0]?.value ?? 0;
  assert.ok(seconds >= 700 && seconds < 760, `${seconds} s behind`);
});

test('runKafkaSink() goes on with the trace of a single record, and links those of several', async () => {
  await using receiver = await openOtlpReceiver();
  await using ingest = await openIngest();
  await ingest.createTopic(2);
  const traced = (key: string, partition: number, header: string | undefined) => ({
    ...flight(key),
    partition,
    headers: header === undefined ? {} : { traceparent: header },
  });
  await ingest.producer.send({
    topic: 'flights',
    messages: [
      traced('F1', 0, traceparent('a', '1')),
      traced('F2', 0, undefined),
      traced('F3', 1, traceparent('b', '2')),
      traced('F4', 1, traceparent('c', '3')),
      traced('F5', 1, traceparent('c', '3')),
      traced('F6', 1, '00-malformed-0-01'),
    ],
  });
  const lines: { message: string; fields: Readonly<Record<string, unknown>> }[] = [];
  await sinkWith(ingest, receiver, flights, (_, message, fields = {}) => lines.push({ message, fields }));

  const batchOf = (partition: string) =>
    receiver.spans.find(
      ({ name, attributes }) =>
        name === 'penstock.ingest.batch' && attributes['messaging.destination.partition.id'] === partition,
    );
  const [single, several] = [batchOf('0'), batchOf('1')];
  assert.deepEqual([single?.traceId, single?.parentSpanId, single?.links], ['a'.repeat(32), '1'.repeat(16), []]);
  assert.equal(several?.parentSpanId, undefined);
  assert.deepEqual(several?.links, [
    { traceId: 'b'.repeat(32), spanId: '2'.repeat(16) },
    { traceId: 'c'.repeat(32), spanId: '3'.repeat(16) },
  ]);
  assert.equal(single?.attributes['penstock.transaction_tag'], 'penstock-test');
  const commit = receiver.spans.find(({ parentSpanId }) => parentSpanId === single?.spanId);
  assert.deepEqual([commit?.name, commit?.traceId, commit?.statusCode], ['penstock.ingest.commit', single?.traceId, 0]);

  const connections = lines.filter(({ fields }) => String(fields.action).endsWith('.connect'));
  const reached = new Set(connections.map(({ fields }) => `${fields.action} ${fields.resource} ${fields.outcome}`));
  assert.deepEqual(
    reached,
    new Set([
      `kafka.connect kafka://${ingest.brokers} done`,
      `spanner.connect http://${ingest.spannerServer.address} done`,
    ]),
  );

  const audits = lines.filter(({ fields }) => fields.audit === true && fields.action === 'spanner.commit');
  assert.equal(audits.length, 2);
  const audit = audits.find(({ fields }) => fields.partition === 0)?.fields;
  assert.equal(audit?.['logging.googleapis.com/trace'], `projects/test/traces/${'a'.repeat(32)}`);
  assert.deepEqual(
    [audit?.identity, audit?.resource, audit?.outcome, audit?.fromOffset, audit?.toOffset, audit?.rows],
    ['sink@example.com', 'Flights', 'done', '0', '2', 2],
  );
  assert.deepEqual(audit?.columns, { Flights: ['FlightId', 'DepartedAt', 'DelayMinutes', 'Origin'] });
});

test('the worker sends what is left when it ends, and loads nothing of OpenTelemetry where no receiver is named', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-telemetry-'));
  await using receiver = await openOtlpReceiver();
  await using ingest = await openIngest();
  await ingest.createTopic();
  await ingest.produce([flight('F1'), flight('F2')]);
  const path = join(dir, 'declaration.json');
  writeFileSync(path, JSON.stringify(ingest.declaration(flights)));
  const worker = spawn(
    process.execPath,
    [fileURLToPath(new URL('../../../functions/kafka-sink/worker.ts', import.meta.url))],
    {
      stdio: 'ignore',
      env: {
        ...process.env,
        PENSTOCK_DECLARATION: path,
        PENSTOCK_IDENTITY: 'tester',
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_SERVICE_NAME: 'orders-in',
      },
    },
  );
  await untilRows(ingest, 2);
  worker.kill('SIGTERM');
  assert.deepEqual(await once(worker, 'exit'), [0, null]);
  assert.deepEqual([...receiver.serviceNames], ['orders-in']);
  assert.equal(receiver.points('penstock.ingest.rows')[0]?.value, 2);
  assert.equal(receiver.spans.filter(({ name }) => name === 'penstock.ingest.batch').length, 1);
  assert.equal(await openTelemetry({}, 'kafka-sink', noLog), undefined);
  rmSync(dir, { recursive: true });
});
