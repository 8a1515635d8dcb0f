import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openOtlpTrace } from '../../../deploy/local/trainer/otlp-trace.ts';
import { openTrainer } from '../../../deploy/local/trainer/server.ts';
import { planEpoch } from '../../../functions/plan-epoch/plan-epoch.ts';
import { tracePlan } from '../../../functions/plan-epoch/trace-plan.ts';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import { openTelemetry } from '../../../shared/adapters/telemetry/open-telemetry.ts';
import { watchReading } from '../../../shared/adapters/telemetry/watch-reading.ts';
import { trainerClient } from '../../../shared/adapters/trainer/trainer-client.ts';
import { noLog } from '../../../shared/base/log.ts';
import { readTraceparent } from '../../../shared/model/events/records/trace-context.ts';
import { trainerClient as watcher } from '../../deploy/local/trainer/trainer-client.ts';
import { openOtlpReceiver } from '../../shared/adapters/telemetry/otlp-receiver.ts';
import { declaration, openFeedStage, rowCount } from './feed-stage.ts';

test('an epoch is one trace from its plan to the training steps of its batches, and its figures arrive', async () => {
  await using receiver = await openOtlpReceiver();
  const stage = await openFeedStage();
  const dir = await mkdtemp(join(tmpdir(), 'traced-'));
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url;
  const telemetry = await openTelemetry(process.env, 'read-shard', noLog);
  const trace = openOtlpTrace('trainer');
  delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  assert.ok(telemetry);
  const trainer = await openTrainer({ dir, training: { passes: 1, trace } });

  const asked = readTraceparent(`00-${'a'.repeat(32)}-${'1'.repeat(16)}-01`);
  let carried: string | undefined;
  const { epoch, shards } = await tracePlan(telemetry, { feed: 'delays', origin: asked }, (traceparent) => {
    carried = traceparent;
    const tick = { idempotencyKey: 'traced', nowMs: 1_000_000 };
    return planEpoch(declaration, 'delays', tick, stage.planTools);
  });
  for (const shard of shards) {
    const outcome = await readShard(epoch, shard, {
      ...stage.readTools('reader'),
      trainerOf: (_, signal) => trainerClient({ url: trainer.url, authorization: async () => 'Bearer t', signal }),
      watch: (of) => watchReading(telemetry, of, readTraceparent(carried ?? '')),
    });
    assert.equal(outcome.status, 'done');
  }
  await watcher(trainer.url).until(epoch, ({ state }) => state === 'trained', 60_000);
  await trainer.close();
  await Promise.all([telemetry.close(), trace.close()]);
  await stage.close();
  await rm(dir, { recursive: true });

  const named = (name: string) => receiver.spans.filter((span) => span.name === name);
  assert.ok(receiver.spans.every(({ traceId }) => traceId === 'a'.repeat(32)));
  const [plan] = named('penstock.feed.plan');
  assert.deepEqual([plan?.parentSpanId, plan?.attributes['penstock.epoch']], ['1'.repeat(16), epoch]);
  const readings = new Set(named('penstock.feed.shard').map(({ spanId }) => spanId));
  assert.equal(readings.size, shards.length);
  assert.ok(named('penstock.feed.shard').every(({ parentSpanId }) => parentSpanId === plan?.spanId));
  const batches = new Map(named('penstock.feed.batch').map((span) => [span.spanId, span]));
  assert.ok([...batches.values()].every(({ parentSpanId = '' }) => readings.has(parentSpanId)));
  const steps = named('penstock.train.step');
  assert.ok(steps.length > 50 && batches.size > steps.length, `${steps.length} steps of ${batches.size} batches`);
  for (const { parentSpanId = '', attributes } of steps) {
    const batch = batches.get(parentSpanId);
    for (const key of ['penstock.epoch', 'penstock.shard', 'penstock.sequence', 'penstock.rows']) {
      assert.equal(attributes[key], batch?.attributes[key], key);
    }
  }

  const points = (metric: string) => receiver.points(`penstock.feed.${metric}`);
  assert.deepEqual(
    points('rows').map(({ value, attributes }) => [value, attributes.feed]),
    [[rowCount, 'delays']],
  );
  assert.deepEqual(
    points('batches').map(({ value, attributes }) => [value, attributes.outcome]),
    [[batches.size, 'accepted']],
  );
  assert.deepEqual(
    points('wait')
      .map(({ attributes }) => attributes.for)
      .sort(),
    ['cpu', 'credits', 'spanner'],
  );
});

test('a batch that came before is counted as a duplicate, its rows once; a reading that fails ends its span so', async () => {
  await using receiver = await openOtlpReceiver();
  const stage = await openFeedStage();
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url;
  const telemetry = await openTelemetry(process.env, 'read-shard', noLog);
  delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  assert.ok(telemetry);
  const { epoch } = await stage.plan('again');
  stage.trainer.credits = 1;
  const watched = { watch: (of: Parameters<typeof watchReading>[1]) => watchReading(telemetry, of, undefined) };
  const stopping = new AbortController();
  let batches = 0;
  const onBatch = (): void => {
    batches += 1;
    if (batches === 5) stopping.abort();
  };
  const first = { ...stage.readTools('first', stopping.signal), ...watched, onBatch };
  assert.equal((await readShard(epoch, 1, first)).status, 'stopped');
  assert.equal((await readShard(epoch, 1, { ...stage.readTools('second'), ...watched })).status, 'done');
  stage.trainer.beforeBatch = (_, response) => {
    response.writeHead(409).end('{}');
    return true;
  };
  await assert.rejects(readShard(epoch, 2, { ...stage.readTools('third'), ...watched }), { code: 'TRAINER_REFUSED' });
  await telemetry.close();
  await stage.close();

  const value = (outcome: string) =>
    receiver.points('penstock.feed.batches').find(({ attributes }) => attributes.outcome === outcome)?.value;
  assert.equal(value('accepted'), [...stage.trainer.batches.keys()].length);
  assert.equal(value('duplicate'), stage.trainer.duplicates.length);
  assert.ok(stage.trainer.duplicates.length > 0);
  const outcomes = receiver.spans
    .filter(({ name }) => name === 'penstock.feed.shard')
    .map(({ attributes, statusCode }) => [attributes['penstock.outcome'], statusCode]);
  assert.deepEqual(outcomes, [
    ['stopped', 0],
    ['done', 0],
    ['failed', 2],
  ]);
});
