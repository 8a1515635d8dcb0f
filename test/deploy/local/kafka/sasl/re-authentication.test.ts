import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Connection, metadataV12 } from '@platformatic/kafka';
import { Kafka, logLevel } from 'kafkajs';
import type { Attempt } from '../../../../../deploy/local/kafka/sasl/session.ts';
import { openKafkaServer } from '../../../../../deploy/local/kafka/server.ts';

/** Clients turn no clock that we could inject: the shortest lifetime that both of them can keep. */
const LIFETIME_MS = 400;

/** A broker whose sessions are short; `again(n)` resolves when a client has authenticated anew for the n-th time. */
async function openShortLived() {
  const attempts: Attempt[] = [];
  let wake = (): void => {};
  const server = await openKafkaServer({
    users: { sink: 'p' },
    listeners: { SASL: { sasl: { mechanisms: ['SCRAM-SHA-256'], sessionLifetimeMs: LIFETIME_MS } } },
    onAttempt: (attempt) => {
      attempts.push(attempt);
      wake();
    },
  });
  const again = async (): Promise<void> => {
    while (!attempts.some((attempt) => attempt.again && attempt.principal === 'sink')) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { server, attempts, again, address: server.addresses.SASL ?? '' };
}

suite('a session with a lifetime', { timeout: 10_000 }, () => {
  test('is prolonged by @platformatic/kafka on the same connection', async () => {
    const { server, attempts, again, address } = await openShortLived();
    const sasl = { mechanism: 'SCRAM-SHA-256', username: 'sink', password: 'p' } as const;
    const connection = new Connection('test', { sasl });
    const [host = '', port] = address.split(':');
    await connection.connect(host, Number(port));
    await again();
    const { brokers } = await metadataV12.api.async(connection, [], false, false);
    assert.equal(brokers[0]?.port, Number(port));
    assert.deepEqual(
      attempts.map((attempt) => [attempt.again, attempt.refusal]),
      [
        [false, undefined],
        [true, undefined],
      ],
    );
    await connection.close();
    await server.close();
  });

  test('is prolonged by kafkajs before its next request', async () => {
    const { server, attempts, again, address } = await openShortLived();
    const sasl = { mechanism: 'scram-sha-256', username: 'sink', password: 'p' } as const;
    const kafka = new Kafka({
      brokers: [address],
      logLevel: logLevel.NOTHING,
      reauthenticationThreshold: LIFETIME_MS / 2,
      retry: { retries: 0 },
      sasl,
    });
    const admin = kafka.admin();
    await admin.connect();
    const asked = (async () => {
      while (!attempts.some((attempt) => attempt.again)) await admin.listTopics();
    })();
    await again();
    await asked;
    assert.deepEqual(await admin.listTopics(), []);
    assert.ok(attempts.every(({ refusal }) => refusal === undefined));
    await admin.disconnect();
    await server.close();
  });
});
