import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageSink } from '../../../functions/pubsub-sink/sink-message.ts';
import { problemOf } from '../../../shared/adapters/http/problem.ts';
import { openSpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { openEventStore } from '../../../shared/adapters/spanner/ingest/event-store.ts';
import type { Pipeline } from '../../../shared/model/config/declaration.ts';
import { airports, databaseName, openIngest } from '../kafka-sink/ingest-fixture.ts';

const limited: Pipeline = { ...airports, poisonLimit: { share: 0.1, of: 20 } };

function message(messageId: string, data: string) {
  const attributes = {};
  const subscription = 'projects/test/subscriptions/airports';
  const rest = { orderingKey: undefined, publishedAtMs: undefined, deliveryAttempt: undefined };
  return { subscription, messageId, data: Buffer.from(data), attributes, ...rest };
}

const good = (id: string) => message(id, JSON.stringify({ iata: id, name: id, version: 1 }));

test('messageSink() stops a pipeline with too much poison for a minute, then looks again', async () => {
  await using ingest = await openIngest();
  const store = openEventStore(openSpannerChannel(databaseName, process.env), { identity: '', owner: '' });
  let now = 1_000_000;
  const sink = messageSink(store, () => now);
  assert.equal(await sink(limited, message('1', '{')), 'set-aside');
  assert.equal(await sink(limited, message('1', '{')), 'duplicate');
  assert.equal(await sink(limited, good('A')), 'taken');
  assert.equal(await sink(limited, message('2', '{')), 'set-aside');

  const stopped = await sink(limited, message('3', '{')).then(
    () => assert.fail('the third letter was taken'),
    (error: unknown) => problemOf(error),
  );
  assert.equal(stopped.status, 503);
  assert.equal(stopped.code, 'POISON_SHARE');
  assert.match(stopped.detail, /Pipeline airports stops: 3 of its last 20 records are poison.* such as 3: /);

  now += 59_999;
  await assert.rejects(sink(limited, good('B')), /Pipeline airports stops/);
  now += 1;
  assert.equal(await sink(limited, good('B')), 'taken');
  assert.equal(await sink(limited, message('3', '{')), 'set-aside');
  assert.equal((await ingest.query('SELECT * FROM PenstockDeadLetters')).length, 3);
  store.close();
});
