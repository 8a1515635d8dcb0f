import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTelemetry } from '../../../shared/adapters/telemetry/open-telemetry.ts';
import { noLog } from '../../../shared/base/log.ts';
import type { RotatedSecret } from '../../../shared/model/config/declaration.ts';
import { openOtlpReceiver } from '../../shared/adapters/telemetry/otlp-receiver.ts';
import { kafkaSink, openRotationStage } from './rotation-stage.ts';

const DAY_MS = 86_400_000;

test('ticks send the age of each secret, the time that it has left, and rotations by strategy and by what came of them', async () => {
  await using receiver = await openOtlpReceiver();
  await using stage = await openRotationStage();
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url;
  // What arrives was flushed.
  process.env.OTEL_METRIC_EXPORT_INTERVAL = '3600000';
  const telemetry = await openTelemetry(process.env, 'rotate-secrets', noLog);
  delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  delete process.env.OTEL_METRIC_EXPORT_INTERVAL;
  assert.ok(telemetry);
  const hmac: RotatedSecret = { ...kafkaSink, name: 'api-key', strategy: { kind: 'hmac-key' } };
  const missing: RotatedSecret = { ...hmac, name: 'missing' };
  await stage.addSecret(hmac.name, JSON.stringify({ id: 'first', key: Buffer.alloc(32, 1).toString('base64') }));
  const secrets = { ...stage.declaration.secrets, [hmac.name]: hmac, [missing.name]: missing };
  const declaration = { ...stage.declaration, secrets };
  const meter = telemetry.secret;
  const isAllowed = (secret: string): boolean => secret !== hmac.name;

  stage.nowMs += 27 * DAY_MS;
  await stage.openRotator({ declaration, meter }).tick('test', isAllowed);
  stage.nowMs += 2 * DAY_MS;
  await stage.openRotator({ declaration, meter }).tick('test', isAllowed);
  await telemetry.flush();

  const levels = (metric: string) => {
    const points = receiver.points(`penstock.secret.${metric}`);
    return new Map(points.map(({ attributes, value }) => [attributes.secret, value]));
  };
  const ends = () => {
    const points = receiver.points('penstock.secret.rotations');
    return Object.fromEntries(
      points.map(({ attributes, value }) => [`${attributes.strategy} ${attributes.result}`, value]),
    );
  };
  assert.deepEqual([...receiver.serviceNames], ['rotate-secrets']);
  assert.deepEqual(ends(), { 'kafka-scram rotated': 1, 'hmac-key held-up': 2, 'hmac-key refused': 2 });
  assert.deepEqual([...levels('age').keys()].sort(), ['api-key', 'kafka-sink'], 'what is not there has no age');
  const every = kafkaSink.everyMs / 1_000;
  for (const [secret, age] of levels('age')) {
    assert.ok(Math.abs(Number(age) + Number(levels('due').get(secret)) - every) < 0.01, String(secret));
  }

  stage.nowMs += 29 * DAY_MS;
  await stage.openRotator({ declaration: stage.refusing, meter }).tick('test', isAllowed);
  await telemetry.close();
  assert.equal(ends()['kafka-scram failed'], 1);
  assert.equal(ends()['kafka-scram rotated'], 1, 'a rotation that is gone on with to its end counts once');
});

test('a receiver that is down keeps no tick from its end', async () => {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = 'http://127.0.0.1:1';
  const telemetry = await openTelemetry(process.env, 'rotate-secrets', noLog);
  delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  assert.ok(telemetry);
  telemetry.secret.ended('hmac-key', 'rotated');
  await assert.doesNotReject(telemetry.flush());
  await assert.doesNotReject(telemetry.close());
});
