import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { after, before, test } from 'node:test';
import { type KafkaServer, openKafkaServer } from '../../../../deploy/local/kafka/server.ts';
import { BrokerUnreachableError } from '../../../../shared/adapters/kafka/kafka-errors.ts';
import { openCluster } from '../../../../shared/adapters/kafka/wire/cluster.ts';
import { askMetadata } from '../../../../shared/adapters/kafka/wire/metadata.ts';

/** Kafka takes nobody else over a connection that somebody has authenticated: KIP-368. */
const SESSION_MS = 6_000;
const LISTENER = 'SASL_PLAINTEXT';
const users = { a: 'password-a', b: 'password-b' };
const logins = new EventEmitter();
let kafka: KafkaServer;

before(async () => {
  kafka = await openKafkaServer({
    users,
    listeners: { [LISTENER]: { sasl: { mechanisms: ['SCRAM-SHA-512'], sessionLifetimeMs: SESSION_MS } } },
    onAttempt: ({ principal, again, refusal }) =>
      logins.emit(refusal === undefined ? `${principal} ${again}` : 'refused'),
  });
});
after(() => kafka.close());

test('a session is renewed as the same user; when the secret names another, a new connection takes over without an error', async () => {
  let username: keyof typeof users = 'a';
  const auth = {
    mechanism: 'scram-sha-512',
    credentials: async () => ({ username, password: users[username] }),
  } as const;
  const access = { brokers: [kafka.addresses[LISTENER] ?? ''], tls: undefined, auth };
  const cluster = openCluster(access, 'test');
  let refusals = 0;
  logins.on('refused', () => refusals++);
  const renewed = once(logins, 'a true');
  const first = await cluster.any();
  await renewed;
  assert.equal(await cluster.any(), first);
  username = 'b';
  while ((await cluster.any()) === first) await cluster.metadata([]);
  // Who holds the old one may go on for a moment.
  assert.equal(first.isOpen(), false);
  const second = await cluster.any();
  assert.ok(second.isOpen());
  await cluster.metadata([]);
  assert.equal(refusals, 0);
  cluster.close();
});

test('a session that cannot be renewed is a lost connection, and the next one asks for the credentials anew', async () => {
  let password = users.a;
  const auth = {
    mechanism: 'scram-sha-512',
    credentials: async () => ({ username: 'a', password }),
  } as const;
  const cluster = openCluster({ brokers: [kafka.addresses[LISTENER] ?? ''], tls: undefined, auth }, 'test');
  const first = await cluster.any();
  password = 'old';
  await once(logins, 'refused');
  await assert.rejects(async () => {
    for (;;) await askMetadata(first, []);
  }, BrokerUnreachableError);
  password = users.a;
  await cluster.metadata([]);
  cluster.close();
});
