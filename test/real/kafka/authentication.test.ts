import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { KafkaAuth, UserPassword } from '../../../shared/adapters/kafka/kafka-auth.ts';
import { KafkaAuthError } from '../../../shared/adapters/kafka/kafka-errors.ts';
import { openKafkaDriver } from '../../../shared/adapters/kafka/open-driver.ts';
import { openBrokerConnection } from '../../../shared/adapters/kafka/wire/broker-connection.ts';
import { askMetadata } from '../../../shared/adapters/kafka/wire/metadata.ts';
import { brokerAddress } from '../../../shared/adapters/kafka/wire/open-socket.ts';
import { noLog } from '../../../shared/base/log.ts';
import { makeAuthority } from '../../deploy/local/kafka/certificates.ts';
import { Recorder } from '../../shared/adapters/kafka/driver-fixture.ts';
import { createRealTopic } from './create-real-topic.ts';
import { openRealKafka, type RealKafka } from './real-kafka.ts';

const SESSION_MS = 3_000;
const user: UserPassword = { username: 'sink', password: 'right' };
const authority = makeAuthority();
const own = authority.forServer();
const tls = { ca: authority.ca };
let kafka: RealKafka;

before(async () => {
  kafka = await openRealKafka({
    listeners: { SECURE: 'SASL_SSL', BRIEF: 'SASL_SSL', MUTUAL: 'SSL' },
    scramUsers: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map((name) => `${name}=[name=sink,password=right]`),
    properties: {
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.key': own.key,
      'ssl.keystore.certificate.chain': own.cert,
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.certificates': authority.ca,
      'listener.name.mutual.ssl.client.auth': 'required',
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
      ...saslProperties('secure', {}),
      ...saslProperties('brief', { 'connections.max.reauth.ms': String(SESSION_MS) }),
    },
  });
  await createRealTopic(kafka.brokers, 't', 2);
  const feed = ['--bootstrap-server', kafka.brokers.join(','), '--topic', 't'];
  await kafka.runTool('org.apache.kafka.tools.ConsoleProducer', feed, 'a\nb\n');
});
after(() => kafka.close());

/** How a listener's clients may prove who they are. */
function saslProperties(listener: string, settings: Readonly<Record<string, string>>): Record<string, string> {
  const modules = {
    plain: 'plain.PlainLoginModule required user_sink="right"',
    'scram-sha-256': 'scram.ScramLoginModule required',
    'scram-sha-512': 'scram.ScramLoginModule required',
    oauthbearer: 'oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker"',
  };
  const properties = Object.entries(modules).flatMap(([mechanism, module]) => {
    const own = { 'sasl.jaas.config': `org.apache.kafka.common.security.${module};`, ...settings };
    return Object.entries(own).map(([name, value]) => [`listener.name.${listener}.${mechanism}.${name}`, value]);
  });
  return Object.fromEntries(properties);
}

/** A token that nobody signed, which Kafka takes unless it is told how to verify. */
async function token() {
  const now = Math.floor(Date.now() / 1000);
  const parts = [{ alg: 'none' }, { sub: 'sink', iat: now, exp: now + 3_600 }];
  const value = `${parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`;
  return { value, expiresAtMs: (now + 3_600) * 1000, principal: 'sink' };
}

const ways: readonly KafkaAuth[] = [
  ...(['plain', 'scram-sha-256', 'scram-sha-512'] as const).map((mechanism) => {
    return { mechanism, credentials: async () => user };
  }),
  { mechanism: 'oauthbearer', token },
  { mechanism: 'mtls', certificate: async () => authority.forClient({ CN: 'sink' }) },
];

for (const driver of ['wire', 'kafkajs', 'platformatic'] as const) {
  for (const auth of ways) {
    test(`${driver} reads Apache Kafka with ${auth.mechanism} over TLS`, async () => {
      const brokers = [kafka.addresses[auth.mechanism === 'mtls' ? 'MUTUAL' : 'SECURE'] ?? ''];
      const opened = await openKafkaDriver({ driver, access: { brokers, tls, auth }, clientId: 'test', log: noLog });
      const recorder = await new Recorder().subscribe(opened, ['t'], { group: `${driver}-${auth.mechanism}` });
      await recorder.until('all has come', () => recorder.values().length === 2);
      assert.deepEqual(recorder.values().sort(), ['a', 'b']);
      await recorder.subscription?.stop();
      await opened.close();
    });
  }
}

for (const auth of ways.filter(({ mechanism }) => mechanism !== 'mtls')) {
  test(`a session with ${auth.mechanism} outlives Apache Kafka's limit, since it is renewed`, async () => {
    const access = { brokers: [kafka.addresses.BRIEF ?? ''], tls, auth };
    const connection = await openBrokerConnection(brokerAddress(access.brokers[0] ?? ''), access, 'test');
    const end = performance.now() + 2.2 * SESSION_MS;
    while (performance.now() < end) assert.equal((await askMetadata(connection, ['t'])).topics.size, 1);
    assert.ok(connection.isOpen());
    connection.close();
  });
}

test('Apache Kafka refuses a wrong password, and is asked twice at most', async () => {
  for (const mechanism of ['plain', 'scram-sha-512'] as const) {
    const asked: boolean[] = [];
    const credentials = async (fresh: boolean) => {
      asked.push(fresh);
      return { ...user, password: 'wrong' };
    };
    const access = { brokers: [kafka.addresses.SECURE ?? ''], tls, auth: { mechanism, credentials } };
    await assert.rejects(openBrokerConnection(brokerAddress(access.brokers[0] ?? ''), access, 'test'), KafkaAuthError);
    assert.deepEqual(asked, [false, true]);
  }
});
