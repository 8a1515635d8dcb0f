import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { buildChaosBundles, type ChaosBundles } from '../../chaos/chaos-bundles.ts';
import { runRotationChaos } from '../../chaos/rotation-chaos.ts';
import { openRealKafka } from '../kafka/real-kafka.ts';

const ROTATIONS = 20;
const SESSION_MS = 4_000;
const TIMEOUT_MS = 1_200_000;

let bundles: ChaosBundles;
before(async () => {
  bundles = await buildChaosBundles(['kafka-sink', 'rotate-secrets']);
});
after(() => bundles?.remove());

test('running sinks follow 20 rotations on Apache Kafka under load', { timeout: TIMEOUT_MS }, async () => {
  const kafka = await openRealKafka({
    listeners: { LOGIN: 'SASL_PLAINTEXT' },
    properties: {
      'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
      'listener.name.login.scram-sha-512.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      'listener.name.login.scram-sha-512.connections.max.reauth.ms': String(SESSION_MS),
    },
  });
  const report = await runRotationChaos({
    dist: bundles.dist,
    seed: 12,
    rotations: ROTATIONS,
    maxMs: TIMEOUT_MS,
    recordsPerSecond: 100,
    isAttacked: true,
    kafka: { ...kafka, saslBrokers: [kafka.addresses.LOGIN ?? ''] },
  });
  assert.deepEqual(report.problems, []);
  const { lost, doubled, failedBatches, rotations, kills } = report;
  assert.deepEqual(
    { lost, doubled, failedBatches, rotations },
    { lost: 0, doubled: 0, failedBatches: 0, rotations: ROTATIONS },
  );
  assert.ok(kills >= ROTATIONS / 2, JSON.stringify(report));
});
