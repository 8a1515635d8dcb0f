import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageSink } from '../../../functions/pubsub-sink/sink-message.ts';
import { watchStore } from '../../../functions/pubsub-sink/watch-store.ts';
import { openSpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { openEventStore } from '../../../shared/adapters/spanner/ingest/event-store.ts';
import { openTelemetry } from '../../../shared/adapters/telemetry/open-telemetry.ts';
import { noLog } from '../../../shared/base/log.ts';
import { openOtlpReceiver } from '../../shared/adapters/telemetry/otlp-receiver.ts';
import { airports, databaseName, openIngest } from '../kafka-sink/ingest-fixture.ts';

const subscription = 'projects/test/subscriptions/airports';

function message(messageId: string, data: string, attributes: Readonly<Record<string, string>> = {}) {
  const rest = { orderingKey: undefined, publishedAtMs: Date.now() - 5_000, deliveryAttempt: undefined };
  return { subscription, messageId, data: Buffer.from(data), attributes, ...rest };
}

test('watchStore() of pubsub-sink sends figures and the trace of the message, and leaves an audit line of the commit', async () => {
  await using receiver = await openOtlpReceiver();
  await using ingest = await openIngest();
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url;
  const telemetry = await openTelemetry(process.env, 'pubsub-sink', noLog);
  delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  const lines: Readonly<Record<string, unknown>>[] = [];
  const store = openEventStore(openSpannerChannel(databaseName, process.env), { identity: '', owner: '' });
  const sink = messageSink(
    watchStore(store, {
      identity: 'push@example.com',
      log: (_severity, _message, fields = {}) => void lines.push(fields),
      telemetry,
    }),
  );
  const traceparent = `00-${'d'.repeat(32)}-${'4'.repeat(16)}-01`;
  const ord = JSON.stringify({ iata: 'ORD', name: 'O', version: 1 });
  assert.equal(await sink(airports, message('1', ord, { googclient_traceparent: traceparent })), 'taken');
  assert.equal(await sink(airports, message('1', ord, { googclient_traceparent: traceparent })), 'duplicate');
  assert.equal(await sink(airports, message('2', '{')), 'set-aside');
  await telemetry?.close();
  store.close();

  assert.equal((await ingest.query('SELECT Iata FROM Airports')).length, 1);
  const value = (metric: string) => receiver.points(`penstock.ingest.${metric}`)[0];
  assert.deepEqual(value('rows')?.attributes, { pipeline: 'airports', topic: subscription });
  assert.equal(value('rows')?.value, 1);
  assert.deepEqual([value('poison')?.attributes.class, value('poison')?.value], ['undecodable', 1]);
  assert.equal(value('event_to_commit')?.count, 2);
  assert.deepEqual(receiver.points('penstock.ingest.lag.records'), []);
  const [first] = receiver.spans.filter(({ name }) => name === 'penstock.ingest.batch');
  assert.deepEqual([first?.traceId, first?.parentSpanId], ['d'.repeat(32), '4'.repeat(16)]);
  const audits = lines.filter(({ action }) => action === 'spanner.commit');
  assert.deepEqual(
    audits.map(({ identity, outcome, rows, duplicates, dead }) => [identity, outcome, rows, duplicates, dead]),
    [
      ['push@example.com', 'done', 1, 0, 0],
      ['push@example.com', 'done', 0, 1, 0],
      ['push@example.com', 'done', 0, 0, 1],
    ],
  );
});
