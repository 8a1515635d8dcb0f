import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { temporalityOf } from '../../../../shared/adapters/telemetry/otlp.ts';
import { secretMeter } from '../../../../shared/adapters/telemetry/secret-meter.ts';
import { AskedReader } from './asked-reader.ts';

const HOUR_MS = 3_600_000;
const sink = { name: 'sink', everyMs: 24 * HOUR_MS };
const key = { name: 'key', everyMs: 2 * HOUR_MS };

test('secretMeter() tells age and time left of what was looked at lately, and never repeats what nobody looks at any more', async () => {
  const reader = new AskedReader({ aggregationTemporalitySelector: temporalityOf });
  const provider = new MeterProvider({ readers: [reader] });
  let nowMs = 100 * HOUR_MS;
  const meter = secretMeter(provider.getMeter('test'), () => nowMs);
  const told = async () => {
    const ages = await reader.values('penstock.secret.age', 'secret');
    const dues = await reader.values('penstock.secret.due', 'secret');
    return { ages, dues };
  };
  assert.deepEqual(await told(), { ages: {}, dues: {} });
  meter.looked(sink, nowMs - HOUR_MS);
  meter.looked(key, nowMs - 3 * HOUR_MS);
  assert.deepEqual(await told(), {
    ages: { sink: 3_600, key: 3 * 3_600 },
    dues: { sink: 23 * 3_600, key: -3_600 },
  });
  nowMs += 10 * 60_000;
  meter.looked(sink, nowMs);
  assert.deepEqual((await told()).ages, { sink: 0, key: 3 * 3_600 + 600 }, 'it grows without a look, and begins anew');
  nowMs += 6 * 60_000;
  assert.deepEqual(await told(), { ages: { sink: 360 }, dues: { sink: 24 * 3_600 - 360 } });
  meter.looked(sink, undefined);
  assert.deepEqual(await told(), { ages: {}, dues: {} }, 'no version is in use');
  await provider.shutdown();
});
