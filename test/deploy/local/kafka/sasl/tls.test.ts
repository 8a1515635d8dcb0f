import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { Attempt } from '../../../../../deploy/local/kafka/sasl/session.ts';
import { type KafkaServer, openKafkaServer } from '../../../../../deploy/local/kafka/server.ts';
import { makeAuthority } from '../certificates.ts';
import { messagesOf, openAdmin, type ProduceThrough, throughKafkajs, throughPlatformatic } from './clients.ts';

const clients: Readonly<Record<string, ProduceThrough>> = {
  kafkajs: throughKafkajs,
  '@platformatic/kafka': throughPlatformatic,
};
const authority = makeAuthority();
const stranger = makeAuthority({ CN: 'Authority that nobody trusts' });
const clientTls = { ca: authority.ca, ...authority.forClient({ O: 'Penstock', CN: 'kafka-sink' }) };
const login = { mechanism: 'SCRAM-SHA-512', username: 'sink', password: 'p' } as const;
/** What Node says of a certificate whose issuer it does not know. */
const UNTRUSTED = /self-signed certificate in certificate chain|unable to (get|verify)/;

suite('a TLS listener', () => {
  let server: KafkaServer;
  const attempts: Attempt[] = [];
  const at = (listener: string): string => server.addresses[listener] ?? '';

  before(async () => {
    const tls = authority.forServer();
    server = await openKafkaServer({
      users: { sink: 'p' },
      listeners: {
        SSL: { tls },
        MTLS: { tls: { ...tls, clientCa: authority.ca } },
        SASL_SSL: { tls, sasl: { mechanisms: ['SCRAM-SHA-512'] } },
      },
      onAttempt: (attempt) => attempts.push(attempt),
    });
    const admin = openAdmin(server.address);
    await admin.createTopics({ topics: ['t'], partitions: 1, replicas: 1 });
    await admin.close();
  });
  after(() => server.close());

  for (const [name, produce] of Object.entries(clients)) {
    test(`serves ${name} that trusts its authority, and leads it back over TLS`, async () => {
      await produce({ address: at('SSL'), topic: 't', tls: { ca: authority.ca } });
    });

    test(`is left by ${name} that does not know its authority`, async () => {
      for (const tls of [{}, { ca: stranger.ca }]) {
        await assert.rejects(produce({ address: at('SSL'), topic: 't', tls }), (error) => {
          assert.match(messagesOf(error), UNTRUSTED);
          return true;
        });
      }
    });

    test(`serves ${name} with SASL inside TLS, and neither alone`, async () => {
      await produce({ address: at('SASL_SSL'), topic: 't', login, tls: { ca: authority.ca } });
      assert.equal(attempts.at(-1)?.principal, 'sink');
      await assert.rejects(produce({ address: at('SASL_SSL'), topic: 't', tls: { ca: authority.ca } }));
      await assert.rejects(produce({ address: at('SASL_SSL'), topic: 't', login }));
    });

    test(`serves ${name} with a certificate of the clients' authority, and without none`, async () => {
      attempts.length = 0;
      await produce({ address: at('MTLS'), topic: 't', tls: clientTls });
      const expected = { listener: 'MTLS', mechanism: 'SSL', again: false, principal: 'CN=kafka-sink,O=Penstock' };
      for (const attempt of attempts) assert.deepEqual(attempt, { ...expected, refusal: undefined });
      assert.ok(attempts.length > 0);
      const strange = { ca: authority.ca, ...stranger.forClient({ CN: 'kafka-sink' }) };
      for (const tls of [{ ca: authority.ca }, strange]) {
        await assert.rejects(produce({ address: at('MTLS'), topic: 't', tls }));
      }
      assert.ok(attempts.some(({ principal, refusal }) => principal === undefined && refusal));
    });
  }

  test('closes the connection that speaks no TLS, and one that stops in the handshake when the broker closes', async () => {
    const [host = '', port] = at('SSL').split(':');
    const plain = connect(Number(port), host);
    plain.on('error', () => {});
    plain.write(Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0, 0]));
    await once(plain, 'close');

    const other = await openKafkaServer({ listeners: { SSL: { tls: authority.forServer() } } });
    const silent = connect(Number(other.addresses.SSL?.split(':')[1]), host);
    silent.on('error', () => {});
    await once(silent, 'connect');
    // The server has seen the connection when it answers another one.
    await throughKafkajs({ address: other.address, topic: 'none' }).catch(() => {});
    const closed = once(silent, 'close');
    await other.close();
    await closed;
  });

  test('speaks no version of TLS before 1.2', async () => {
    const [host = '', port] = at('SSL').split(':');
    const old = connectTls({
      host,
      port: Number(port),
      ca: authority.ca,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1.1',
    });
    const [error] = await once(old, 'error');
    assert.match(String(error), /SSL|TLS|EPROTO|version/i);
    old.destroy();
  });
});
