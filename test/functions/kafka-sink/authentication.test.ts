import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { KafkaAuth } from '../../../shared/model/config/declaration.ts';
import { makeAuthority } from '../../deploy/local/kafka/certificates.ts';
import { openSecretServer, PROJECT, type SecretServer } from '../../shared/adapters/secrets/secret-server.ts';
import { plainKafka } from '../../shared/model/config/plain-pipeline.ts';
import { flight, flights, openIngest, runSink, untilRows, watchedLog } from './ingest-fixture.ts';

const authority = makeAuthority();
const password = (text: string): string => JSON.stringify({ username: 'sink', password: text });
const fullName = (secret: string): string => `projects/${PROJECT}/secrets/${secret}`;
let secrets: SecretServer;

before(async () => {
  secrets = await openSecretServer();
  secrets.rotate('authority', authority.ca);
});
after(() => secrets.close());

const listeners = {
  SASL_SSL: {
    tls: authority.forServer(),
    sasl: { mechanisms: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const },
  },
  SSL: { tls: { ...authority.forServer(), clientCa: authority.ca } },
};

async function sinkThrough(listener: 'SASL_SSL' | 'SSL', auth: KafkaAuth): Promise<void> {
  await using ingest = await openIngest({ kafka: { listeners, users: { sink: 'right' } } });
  await ingest.createTopic();
  await ingest.produce([flight('F0'), flight('F1')]);
  const brokers = plainKafka(ingest.addresses[listener] ?? '');
  const kafka = { ...brokers, tls: true, caSecret: fullName('authority'), auth };
  await runSink({ ...ingest.declaration(flights), kafka });
  assert.deepEqual(await ingest.query('SELECT COUNT(*) AS n FROM Flights'), [{ n: 2 }]);
}

for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
  test(`runKafkaSink() reads over TLS as the user of a secret, by ${mechanism}`, async () => {
    secrets.rotate('kafka', password('right'));
    await sinkThrough('SASL_SSL', { mechanism, secret: fullName('kafka') });
  });
}

test('runKafkaSink() reads as the owner of a certificate', async () => {
  secrets.rotate('certificate', JSON.stringify(authority.forClient({ O: 'flights', CN: 'sink' })));
  await sinkThrough('SSL', { mechanism: 'mtls', secret: fullName('certificate') });
});

test('runKafkaSink() waits while brokers refuse its password, and goes on when the secret is right', async () => {
  secrets.rotate('kafka', password('wrong'));
  await using ingest = await openIngest({ kafka: { listeners, users: { sink: 'right' } } });
  await ingest.createTopic();
  await ingest.produce([flight('F0')]);
  const auth = { mechanism: 'scram-sha-512', secret: fullName('kafka') } as const;
  const brokers = plainKafka(ingest.addresses.SASL_SSL ?? '');
  const declaration = {
    ...ingest.declaration(flights),
    kafka: { ...brokers, tls: true, caSecret: fullName('authority'), auth },
  };
  const ending = new AbortController();
  const { log, seen } = watchedLog('cannot be reached');
  const running = runSink(declaration, { signal: ending.signal, log });
  await seen;
  secrets.rotate('kafka', password('right'));
  await untilRows(ingest, 1);
  ending.abort();
  await running;
});
