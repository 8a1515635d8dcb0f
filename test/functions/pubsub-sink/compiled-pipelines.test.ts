import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compiledPipelines } from '../../../functions/pubsub-sink/compiled-pipelines.ts';
import type { TableSchema } from '../../../shared/model/events/tables/table-schema.ts';
import { column, pipeline, table } from '../../shared/model/events/pipeline-fixture.ts';

const id = column('Id', 'STRING(9)', { notNull: true });

test('compiledPipelines() compiles once, looks at the tables after a minute, and compiles again what has changed', async () => {
  let nowMs = 0;
  let schema: TableSchema = table([id]);
  let readCount = 0;
  let seen = Promise.withResolvers<void>();
  const readTable = async () => {
    readCount++;
    // What reads the schema has the rest of its turn to use it.
    setImmediate(() => seen.resolve());
    return schema;
  };
  const pipelines = compiledPipelines({ database: 'd', readTable }, () => nowMs, undefined);
  const first = await pipelines.get(pipeline());
  nowMs = 59_999;
  assert.equal(await pipelines.get(pipeline()), first);
  assert.equal(readCount, 1);
  nowMs = 60_000;
  seen = Promise.withResolvers();
  assert.equal(await pipelines.get(pipeline()), first);
  await seen.promise;
  assert.equal(await pipelines.get(pipeline()), first, 'nothing has changed');
  assert.equal(readCount, 2);
  schema = table([id, column('More', 'INT64')]);
  nowMs = 120_000;
  seen = Promise.withResolvers();
  assert.equal(await pipelines.get(pipeline()), first, 'a message does not wait for the look');
  await seen.promise;
  const second = await pipelines.get(pipeline());
  assert.deepEqual(
    second.targets[0]?.columns.map(({ name }) => name),
    ['Id', 'More'],
  );
  pipelines.forget(pipeline());
  assert.notEqual(await pipelines.get(pipeline()), second);
});

test('compiledPipelines() tries again what did not fit', async () => {
  let schema = table([id, column('Must', 'INT64', { notNull: true, hasDefault: true })]);
  const readTable = async () => schema;
  const pipelines = compiledPipelines({ database: 'd', readTable }, () => 0, undefined);
  const guarded = pipeline({ guard: 'Version' });
  await assert.rejects(pipelines.get(guarded), { code: 'CONFIG' });
  schema = table([id, column('Version', 'INT64')]);
  assert.equal((await pipelines.get(guarded)).targets[0]?.guardAt, 1);
});
