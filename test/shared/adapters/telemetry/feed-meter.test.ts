import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { feedMeter } from '../../../../shared/adapters/telemetry/feed-meter.ts';
import { temporalityOf } from '../../../../shared/adapters/telemetry/otlp.ts';
import { AskedReader } from './asked-reader.ts';

test('feedMeter() tells the age of the oldest epoch of each feed that is read here, until its last reader has left', async () => {
  const reader = new AskedReader({ aggregationTemporalitySelector: temporalityOf });
  const provider = new MeterProvider({ readers: [reader] });
  let nowMs = 100_000;
  const meter = feedMeter(provider.getMeter('test'), () => nowMs);
  const ages = () => reader.values('penstock.feed.epoch.age', 'feed');
  assert.deepEqual(await ages(), {});
  meter.reading('delays', 'old', 40_000);
  meter.reading('delays', 'old', 40_000);
  meter.reading('delays', 'young', 70_000);
  meter.reading('others', 'only', 90_000);
  assert.deepEqual(await ages(), { delays: 60, others: 10 });
  nowMs += 5_000;
  meter.left('delays', 'old');
  assert.deepEqual(await ages(), { delays: 65, others: 15 });
  meter.left('delays', 'old');
  meter.left('others', 'only');
  assert.deepEqual(await ages(), { delays: 35 });
  await provider.shutdown();
});
