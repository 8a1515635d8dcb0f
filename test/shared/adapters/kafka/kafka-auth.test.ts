import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { type KafkaServer, openKafkaServer } from '../../../../deploy/local/kafka/server.ts';
import type { KafkaAccess, KafkaAuth, UserPassword } from '../../../../shared/adapters/kafka/kafka-auth.ts';
import { KafkaAuthError } from '../../../../shared/adapters/kafka/kafka-errors.ts';
import { type DriverName, openKafkaDriver } from '../../../../shared/adapters/kafka/open-driver.ts';
import { apis } from '../../../../shared/adapters/kafka/wire/apis.ts';
import { openBrokerConnection } from '../../../../shared/adapters/kafka/wire/broker-connection.ts';
import { openCluster } from '../../../../shared/adapters/kafka/wire/cluster.ts';
import { askMetadata } from '../../../../shared/adapters/kafka/wire/metadata.ts';
import { brokerAddress } from '../../../../shared/adapters/kafka/wire/open-socket.ts';
import { RequestWriter } from '../../../../shared/adapters/kafka/wire/request-writer.ts';
import { noLog } from '../../../../shared/base/log.ts';
import { makeAuthority } from '../../../deploy/local/kafka/certificates.ts';
import { openKafka, Recorder } from './driver-fixture.ts';

const authority = makeAuthority();
const { ca } = authority;
const good: UserPassword = { username: 'sink', password: 'right, =quite' };
const attempts: { listener: string; principal: string | undefined; again: boolean }[] = [];
let server: KafkaServer;

before(async () => {
  const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const;
  const verifyToken = (token: string) => {
    if (!token.startsWith('good')) throw new Error('bad token');
    return { principal: 'sink' };
  };
  server = await openKafkaServer({
    users: { [good.username]: good.password },
    onAttempt: (attempt) => attempts.push(attempt),
    listeners: {
      SASL_SSL: { tls: authority.forServer(), sasl: { mechanisms, verifyToken } },
      SHORT: { sasl: { mechanisms, verifyToken, sessionLifetimeMs: 2_000 } },
      SSL: { tls: { ...authority.forServer(), clientCa: ca } },
    },
  });
  await using kafka = await openKafka(server);
  await kafka.create('t');
  await kafka.send('t', 0, 'a');
});
after(() => server.close());

function access(listener: string, auth: KafkaAuth | undefined, tls: KafkaAccess['tls'] | 'none' = { ca }): KafkaAccess {
  return { brokers: [server.addresses[listener] ?? ''], tls: tls === 'none' ? undefined : tls, auth };
}

const ways: readonly (readonly [string, string, KafkaAuth])[] = [
  ...(['plain', 'scram-sha-256', 'scram-sha-512'] as const).map(
    (mechanism) => [mechanism, 'SASL_SSL', { mechanism, credentials: async () => good }] as const,
  ),
  [
    'oauthbearer',
    'SASL_SSL',
    { mechanism: 'oauthbearer', token: async () => ({ value: 'good.1', expiresAtMs: 0, principal: 'sink' }) },
  ],
  ['mtls', 'SSL', { mechanism: 'mtls', certificate: async () => authority.forClient({ CN: 'sink' }) }],
];

for (const driver of ['wire', 'kafkajs', 'platformatic'] satisfies DriverName[]) {
  for (const [name, listener, auth] of ways) {
    test(`${driver} reads a topic with ${name} over TLS`, async () => {
      const opened = await openKafkaDriver({ driver, access: access(listener, auth), clientId: 'test', log: noLog });
      const recorder = await new Recorder().subscribe(opened, ['t'], { group: `${driver}-${name}` });
      await recorder.until('it has come', () => recorder.values().length === 1);
      await recorder.subscription?.stop();
      await opened.close();
    });
  }
}

async function connect(wanted: KafkaAccess): Promise<void> {
  const connection = await openBrokerConnection(brokerAddress(wanted.brokers[0] ?? ''), wanted, 'test');
  await askMetadata(connection, ['t']);
  connection.close();
}

test('credentials are asked for anew, once, when the brokers refuse them', async () => {
  for (const mechanism of ['plain', 'scram-sha-256'] as const) {
    const asked: boolean[] = [];
    const credentials = async (fresh: boolean) => {
      asked.push(fresh);
      return fresh ? good : { ...good, password: 'before the rotation' };
    };
    await connect(access('SASL_SSL', { mechanism, credentials }));
    assert.deepEqual(asked, [false, true]);
  }
});

test('what is refused twice is refused for good, without the password in the error', async () => {
  let count = 0;
  const credentials = async () => {
    count += 1;
    return { ...good, password: 'wrong-word' };
  };
  const wrong = connect(access('SASL_SSL', { mechanism: 'scram-sha-512', credentials }));
  await assert.rejects(wrong, (error) => {
    assert.ok(error instanceof KafkaAuthError);
    assert.doesNotMatch(`${error.stack} ${error.message}`, /wrong-word/);
    return true;
  });
  assert.equal(count, 2);
  const token = async () => ({ value: 'bad', expiresAtMs: 0, principal: 'x' });
  await assert.rejects(connect(access('SASL_SSL', { mechanism: 'oauthbearer', token })), KafkaAuthError);
});

test('a broker whose certificate is not trusted, or not its own, is refused', async () => {
  const auth: KafkaAuth = { mechanism: 'plain', credentials: () => assert.fail('no password for strangers') };
  await assert.rejects(connect(access('SASL_SSL', auth, { ca: makeAuthority().ca })), KafkaAuthError);
  await assert.rejects(connect(access('SASL_SSL', auth, {})), KafkaAuthError);
});

test('a client without the certificate that brokers want is refused, and so is a stranger’s', async () => {
  await assert.rejects(connect(access('SSL', undefined)));
  const certificate = async () => makeAuthority().forClient({ CN: 'sink' });
  await assert.rejects(connect(access('SSL', { mechanism: 'mtls', certificate })), KafkaAuthError);
  await assert.rejects(connect(access('SSL', { mechanism: 'mtls', certificate }, 'none')), /needs TLS/);
});

test('a connection by certificate is left for a new one when the certificate was rotated, and answers what it was asked', async () => {
  const before = attempts.length;
  let shown = authority.forClient({ CN: 'sink' });
  const certificate = async () => shown;
  const cluster = openCluster(access('SSL', { mechanism: 'mtls', certificate, lookEveryMs: 200 }), 'test');
  const first = await cluster.any();
  const deadline = performance.now() + 60_000;
  while (attempts.length < before + 1 && performance.now() < deadline) await cluster.metadata(['t']);
  assert.equal(await cluster.any(), first, 'the same certificate is no reason to leave');
  shown = authority.forClient({ CN: 'sink-of-the-new-key' });
  while (attempts.length < before + 2 && performance.now() < deadline) {
    const { topics } = await cluster.metadata(['t']);
    assert.equal(topics.size, 1, 'no question is refused meanwhile');
  }
  assert.deepEqual(
    attempts.slice(before).map(({ principal }) => principal),
    ['CN=sink', 'CN=sink-of-the-new-key'],
  );
  assert.notEqual(await cluster.any(), first);
  while (first.isOpen() && performance.now() < deadline) await cluster.metadata(['t']);
  cluster.close();
});

test('a session is renewed over the same connection before it expires, with what is current then', async () => {
  const before = attempts.length;
  let count = 0;
  const token = async () => ({ value: `good.${count++}`, expiresAtMs: 0, principal: 'sink' });
  const wanted = access('SHORT', { mechanism: 'oauthbearer', token }, 'none');
  const connection = await openBrokerConnection(brokerAddress(wanted.brokers[0] ?? ''), wanted, 'test');
  const deadline = performance.now() + 60_000;
  while (attempts.length < before + 3 && performance.now() < deadline) {
    const { topics } = await askMetadata(connection, ['t']);
    assert.equal(topics.size, 1, 'no question is refused meanwhile');
  }
  await askMetadata(connection, ['t']);
  connection.close();
  assert.deepEqual(
    attempts.slice(before).map(({ again, principal }) => [again, principal]),
    [
      [false, 'sink'],
      [true, 'sink'],
      [true, 'sink'],
    ],
  );
});

test('a subscription outlives the sessions of its connections, with a token of its own for each, and without a rebalance', async () => {
  await using kafka = await openKafka(server);
  await kafka.create('renewed');
  const before = attempts.length;
  const given: string[] = [];
  const token = async () => {
    given.push(`good.${given.length}`);
    return { value: given.at(-1) ?? '', expiresAtMs: 0, principal: 'sink' };
  };
  const auth: KafkaAuth = { mechanism: 'oauthbearer', token };
  const driver = await openKafkaDriver({
    driver: 'wire',
    access: access('SHORT', auth, 'none'),
    clientId: 'test',
    log: noLog,
  });
  // Longer than the test: a pause of a busy machine is no rebalance.
  const recorder = await new Recorder().subscribe(driver, ['renewed'], { group: 'renewed', sessionTimeoutMs: 120_000 });
  await recorder.until('it has its partition', () => recorder.held().length === 1);
  const renewals = (): number => attempts.slice(before).filter(({ again }) => again).length;
  let sent = 0;
  for (const deadline = performance.now() + 120_000; renewals() < 6; ) {
    assert.ok(performance.now() < deadline, `only ${renewals()} sessions were renewed`);
    await kafka.send('renewed', 0, `${sent}`);
    sent += 1;
    await recorder.until('it has come', () => recorder.values().length === sent);
  }
  assert.deepEqual(
    recorder.values(),
    Array.from({ length: sent }, (_, n) => `${n}`),
  );
  assert.equal(recorder.assignments.length, 1, 'nothing was given away and taken again');
  assert.ok(given.length >= attempts.length - before, 'each proof asks for the token that is current');
  await recorder.subscription?.stop();
  await driver.close();
});

test('a mechanism that the broker does not offer is named with those that it does', async () => {
  const auth: KafkaAuth = { mechanism: 'plain', credentials: async () => good };
  const only = await openKafkaServer({
    users: { sink: 'x' },
    listeners: { ONLY: { sasl: { mechanisms: ['SCRAM-SHA-256'] } } },
  });
  const wanted = { brokers: [only.addresses.ONLY ?? ''], tls: undefined, auth };
  await assert.rejects(connect(wanted), /does not take PLAIN, but SCRAM-SHA-256/);
  await only.close();
});

test('a broker that is silent, cuts its answer short or announces too much costs an error and no more', async () => {
  const answers: readonly (Buffer | undefined)[] = [
    Buffer.from([0x7f, 0xff, 0xff, 0xff]),
    Buffer.from([0, 0, 0, 2, 0, 0]),
    Buffer.from([0, 0, 0, 8, 0, 0, 0, 99, 0, 0, 0, 0]),
    Buffer.from([0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff]),
    undefined,
  ];
  for (const answer of answers) {
    const fake = createServer((socket) => {
      socket.on('error', () => {});
      if (answer) socket.once('data', () => socket.write(answer));
      else socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(fake, 'listening');
    const address = fake.address();
    assert.ok(address !== null && typeof address === 'object');
    const wanted = { brokers: [`127.0.0.1:${address.port}`], tls: undefined, auth: undefined };
    await assert.rejects(connect(wanted), /answer|closed|failed/);
    fake.close();
  }
});

test('a question that is not answered in time ends the connection', async () => {
  const wanted = access('PLAINTEXT', undefined, 'none');
  const connection = await openBrokerConnection(brokerAddress(wanted.brokers[0] ?? ''), wanted, 'test');
  const slow = new RequestWriter().int32(-1).int32(60_000).int32(1).int32(1).int8(0).int32(0).int32(-1);
  slow
    .array([], () => {})
    .array([], () => {})
    .text('')
    .noTags();
  await assert.rejects(connection.ask(apis.fetch, slow, 50), /within 50 ms/);
  assert.equal(connection.isOpen(), false);
  connection.close();
});

test('brokerAddress() reads names, addresses and brackets, and refuses what is none', () => {
  assert.deepEqual(brokerAddress('kafka.example:9092'), { host: 'kafka.example', port: 9092 });
  assert.deepEqual(brokerAddress('[::1]:9092'), { host: '::1', port: 9092 });
  for (const wrong of ['kafka', 'kafka:', ':1', 'kafka:99999', '::1:9092', 'a b:c']) {
    assert.throws(() => brokerAddress(wrong), RangeError, wrong);
  }
});
