import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flight, flights, openIngest } from './ingest-fixture.ts';

test('runKafkaSink() refuses a topic that was made again with fewer records than were read, though its checkpoint is past them', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic(2);
  const messages = Array.from({ length: 20 }, (_, at) => ({ ...flight(`F${at}`), partition: at % 2 }));
  await ingest.produce(messages);
  await ingest.sink(flights);
  await ingest.deleteTopic();
  await ingest.createTopic(2);
  await ingest.produce([0, 1].map((partition) => ({ ...flight(`G${partition}`), partition })));
  await assert.rejects(ingest.sink(flights), { code: 'TOPIC_RECREATED' });
});
