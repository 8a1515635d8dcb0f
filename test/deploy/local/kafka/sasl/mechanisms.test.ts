import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { SaslMechanism } from '../../../../../deploy/local/kafka/sasl/mechanism.ts';
import type { Attempt } from '../../../../../deploy/local/kafka/sasl/session.ts';
import { type KafkaServer, openKafkaServer } from '../../../../../deploy/local/kafka/server.ts';
import {
  type Login,
  messagesOf,
  openAdmin,
  type ProduceThrough,
  throughKafkajs,
  throughPlatformatic,
} from './clients.ts';

const USER = 'kafka=sink, eu';
const PASSWORD = 'pässword,=1';
const GOOD_TOKEN = 'good.token.here';
const clients: Readonly<Record<string, ProduceThrough>> = {
  kafkajs: throughKafkajs,
  '@platformatic/kafka': throughPlatformatic,
};
const mechanisms: readonly SaslMechanism[] = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'];

/** What Apache Kafka tells a client whose credentials are wrong. */
const refusals: Readonly<Record<SaslMechanism, RegExp>> = {
  PLAIN: /Authentication failed: Invalid username or password/,
  'SCRAM-SHA-256':
    /Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256/,
  'SCRAM-SHA-512':
    /Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512/,
  OAUTHBEARER: /./,
};

const right = (mechanism: SaslMechanism): Login =>
  mechanism === 'OAUTHBEARER' ? { mechanism, token: GOOD_TOKEN } : { mechanism, username: USER, password: PASSWORD };

suite('a SASL listener', () => {
  let server: KafkaServer;
  let attempts: (Attempt & { listener: string })[] = [];

  const recordCount = async (): Promise<number> => {
    const admin = openAdmin(server.address);
    const [offsets] = await admin.listOffsets({
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
    });
    await admin.close();
    return Number(offsets?.partitions[0]?.offset);
  };

  before(async () => {
    server = await openKafkaServer({
      users: { [USER]: PASSWORD },
      listeners: {
        SASL: {
          sasl: {
            mechanisms,
            verifyToken: (token) => {
              if (token !== GOOD_TOKEN) throw new Error('Not the good one');
              return { principal: 'sink@project' };
            },
          },
        },
        SCRAM_ONLY: { sasl: { mechanisms: ['SCRAM-SHA-512'] } },
      },
      onAttempt: (attempt) => attempts.push(attempt),
    });
    const admin = openAdmin(server.address);
    await admin.createTopics({ topics: ['t'], partitions: 1, replicas: 1 });
    await admin.close();
  });
  after(() => server.close());

  for (const [name, produce] of Object.entries(clients)) {
    for (const mechanism of mechanisms) {
      test(`lets ${name} in with ${mechanism}, and leads it back to itself`, async () => {
        attempts = [];
        const before = await recordCount();
        await produce({ address: address(), topic: 't', login: right(mechanism) });
        assert.equal(await recordCount(), before + 1);
        const principal = mechanism === 'OAUTHBEARER' ? 'sink@project' : USER;
        // A client that were told another listener's address would produce without an attempt there, or with a second one elsewhere.
        assert.deepEqual(new Set(attempts.map(({ listener }) => listener)), new Set(['SASL']));
        for (const attempt of attempts) {
          assert.deepEqual(attempt, { listener: 'SASL', mechanism, again: false, principal, refusal: undefined });
        }
      });

      test(`refuses ${name} with wrong credentials for ${mechanism} in Kafka's words`, async () => {
        attempts = [];
        const before = await recordCount();
        const wrongs: Login[] = [
          { ...right(mechanism), password: `${PASSWORD}2`, token: 'another' },
          { ...right(mechanism), username: 'nobody', token: 'x.y.z' },
        ];
        for (const login of wrongs) {
          await assert.rejects(produce({ address: address(), topic: 't', login }), (error) => {
            assert.match(messagesOf(error), refusals[mechanism]);
            return true;
          });
        }
        assert.equal(await recordCount(), before);
        assert.ok(attempts.every(({ principal }) => principal === undefined));
        if (mechanism !== 'OAUTHBEARER') assert.ok(attempts.every(({ refusal }) => refusal));
        assert.doesNotMatch(JSON.stringify(attempts), /pässword/);
      });
    }

    test(`refuses ${name} with a mechanism that the listener does not offer`, async () => {
      const onlyScram = server.addresses.SCRAM_ONLY ?? '';
      await assert.rejects(produce({ address: onlyScram, topic: 't', login: right('PLAIN') }));
      await produce({ address: onlyScram, topic: 't', login: right('SCRAM-SHA-512') });
    });

    test(`refuses ${name} without authentication`, async () => {
      await assert.rejects(produce({ address: address(), topic: 't' }));
    });
  }

  const address = (): string => server.addresses.SASL ?? '';
});

test('openKafkaServer() refuses listeners that could let nobody in, by name', async () => {
  const open = (listeners: NonNullable<Parameters<typeof openKafkaServer>[0]>['listeners']) =>
    openKafkaServer(listeners === undefined ? {} : { listeners });
  await assert.rejects(open({ PLAINTEXT: {} }), /Cannot open listener PLAINTEXT/);
  await assert.rejects(open({ 'a b': {} }), /Cannot open listener a b/);
  await assert.rejects(open({ A: { sasl: { mechanisms: [] } } }), /Listener A offers no mechanism/);
  await assert.rejects(open({ A: { sasl: { mechanisms: ['OAUTHBEARER'] } } }), /give it verifyToken/);
});
