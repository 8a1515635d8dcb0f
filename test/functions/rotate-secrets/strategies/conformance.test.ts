import assert from 'node:assert/strict';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { openKafkaServer } from '../../../../deploy/local/kafka/server.ts';
import { command } from '../../../../functions/rotate-secrets/strategies/command.ts';
import { hmacKey } from '../../../../functions/rotate-secrets/strategies/hmac-key.ts';
import { httpHook } from '../../../../functions/rotate-secrets/strategies/http-hook.ts';
import { kafkaScram } from '../../../../functions/rotate-secrets/strategies/kafka-scram.ts';
import { generatedPassword } from '../../../../functions/rotate-secrets/strategies/password.ts';
import { type Strategy, StrategyRefusedError } from '../../../../functions/rotate-secrets/strategies/strategy.ts';
import { tlsCertificate } from '../../../../functions/rotate-secrets/strategies/tls-certificate.ts';
import { openScramCredentials } from '../../../../shared/adapters/kafka/wire/scram-credentials.ts';

import { makeAuthority } from '../../../deploy/local/kafka/certificates.ts';
import { openAccountKeys } from './account-keys.ts';
import { KEEPING_PROGRAM, writeProgram } from './write-program.ts';

/** A strategy, and who takes its values. */
interface Candidate {
  readonly strategy: Strategy;
  /** Whether the target system takes the value; undefined where there is no target system. */
  readonly takes?: (value: Buffer) => Promise<boolean>;
  /** A value that cannot work. */
  readonly broken: Buffer;
  close(): Promise<void>;
}

const noSleep = async (): Promise<void> => {};

async function scramCandidate(): Promise<Candidate> {
  const listeners = { SASL_PLAINTEXT: { sasl: { mechanisms: ['SCRAM-SHA-512'] as const } } };
  const kafka = await openKafkaServer({ listeners });
  const mechanism = 'scram-sha-512';
  const plain = openScramCredentials({ brokers: [kafka.address], tls: undefined, auth: undefined }, 'test');
  const administrator = { username: 'admin', password: 'admin-password' };
  await plain.put(mechanism, administrator);
  const brokers = [kafka.addresses.SASL_PLAINTEXT ?? ''];
  const admin = { brokers, tls: undefined, auth: { mechanism, credentials: async () => administrator } } as const;
  const strategy = kafkaScram({ users: ['a', 'b'], mechanism, admin, sleep: noSleep });
  const worksFor = (value: Buffer): Promise<boolean> => {
    return strategy.test(value).then(
      () => true,
      (error: unknown) => {
        assert.ok(error instanceof StrategyRefusedError, String(error));
        return false;
      },
    );
  };
  return {
    strategy,
    takes: worksFor,
    broken: Buffer.from(JSON.stringify({ username: 'a', password: 'never set' })),
    async close() {
      await strategy.close();
      plain.close();
      await kafka.close();
    },
  };
}

/** A user's own program, which keeps the values that work. */
async function hookCandidate(): Promise<Candidate> {
  const key = Buffer.from('signing key of the hook');
  const working = new Set<string>();
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const [, t = '', v1 = ''] = /^t=(\d+),v1=([0-9a-f]+)$/.exec(String(request.headers['penstock-signature'])) ?? [];
    const wanted = createHmac('sha256', key).update(`${t}.${body}`).digest();
    const isSigned = timingSafeEqual(Buffer.from(v1, 'hex'), wanted);
    const { step, value } = JSON.parse(body);
    if (step === 'set') working.add(value);
    if (step === 'revoke') working.delete(value);
    response.statusCode = !isSigned ? 401 : step === 'test' && !working.has(value) ? 422 : 200;
    response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/hook`;
  return {
    strategy: httpHook({ secret: 's', url, key: async () => Buffer.from(key), clock: () => 1_700_000_000_000 }),
    takes: async (value) => working.has(value.toString('base64')),
    broken: Buffer.from('never set'),
    async close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A user's own executable, which keeps the values that work in a file. */
async function commandCandidate(): Promise<Candidate> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-command-'));
  const path = writeProgram(dir, KEEPING_PROGRAM);
  const file = join(dir, 'working');
  writeFileSync(file, '');
  return {
    strategy: command({ secret: 's', run: [path, file], timeoutMs: 60_000 }),
    takes: async (value) => readFileSync(file, 'utf8').split('\n').includes(value.toString('base64')),
    broken: Buffer.from('never set'),
    close: async () => rmSync(dir, { recursive: true }),
  };
}

/** A certificate that brokers are shown. */
async function certificateCandidate(): Promise<Candidate> {
  const authority = makeAuthority();
  const stranger = makeAuthority();
  const tls = { ...authority.forServer(), clientCa: authority.ca };
  const kafka = await openKafkaServer({ listeners: { MTLS: { tls } } });
  const strategy = tlsCertificate({
    authority: async () => ({ key: authority.key, cert: authority.ca }),
    subject: 'CN=kafka-sink,O=Penstock',
    lifetimeMs: 3_600_000,
    brokers: { brokers: [kafka.addresses.MTLS ?? ''], tls: { ca: authority.ca } },
    clock: Date.now,
  });
  return {
    strategy,
    broken: Buffer.from(JSON.stringify(stranger.forClient({ CN: 'kafka-sink' }))),
    close: () => kafka.close(),
  };
}

async function accountKeyCandidate(): Promise<Candidate> {
  const stage = await openAccountKeys();
  const made = JSON.parse(String(await stage.strategy().create(undefined)));
  await stage.keys.change(made.private_key_id, 'delete');
  const strategy = stage.strategy();
  return {
    strategy,
    takes: stage.takes,
    broken: Buffer.from(JSON.stringify(made)),
    close: stage.close,
  };
}

const candidates: Readonly<Record<string, () => Promise<Candidate>>> = {
  'kafka-scram': scramCandidate,
  'http-hook': hookCandidate,
  command: commandCandidate,
  'tls-certificate': certificateCandidate,
  'service-account-key': accountKeyCandidate,
  'hmac-key': async () => {
    const broken = Buffer.from(JSON.stringify({ id: 'x', key: Buffer.alloc(8).toString('base64') }));
    return { strategy: hmacKey(), broken, close: async () => {} };
  },
  password: async () => {
    const strategy = generatedPassword({ length: 24, classes: ['lower', 'upper', 'digit', 'symbol'] });
    return { strategy, broken: Buffer.from(JSON.stringify({ password: 'short' })), close: async () => {} };
  },
};

for (const [name, openCandidate] of Object.entries(candidates)) {
  let candidate: Candidate;
  let first: Buffer;
  let second: Buffer;
  before(async () => {
    candidate = await openCandidate();
    first = await candidate.strategy.create(undefined);
    second = await candidate.strategy.create(first);
  });
  after(() => candidate.close());

  test(`${name} makes another value each time, also from the same one`, async () => {
    const third = await candidate.strategy.create(first);
    const all = [first, second, third].map((value) => value.toString('hex'));
    assert.equal(new Set(all).size, 3);
    // What was made before and never set may be gone.
    second = third;
  });

  test(`${name} takes the same steps twice: a crash repeats them`, async () => {
    const { strategy } = candidate;
    for (let times = 0; times < 2; times++) {
      await strategy.set(first, undefined);
      await strategy.test(first);
    }
    for (let times = 0; times < 2; times++) {
      await strategy.set(second, first);
      await strategy.test(second);
    }
  });

  test(`${name} lets both values work in between, and keeps the new one when the old one goes`, async () => {
    const { strategy, takes } = candidate;
    await strategy.set(first, undefined);
    await strategy.set(second, first);
    if (takes) assert.deepEqual([await takes(first), await takes(second)], [true, true]);
    for (let times = 0; times < 2; times++) await strategy.revoke(first, second, 'disable');
    await strategy.test(second);
    if (takes) assert.deepEqual([await takes(first), await takes(second)], [false, true]);
  });

  test(`${name} refuses a value that does not work, and says nothing of it`, async () => {
    const { strategy, broken } = candidate;
    await assert.rejects(strategy.test(broken), (error: unknown) => {
      assert.ok(error instanceof StrategyRefusedError, String(error));
      for (const secret of ['never set', 'short', 'AAAAAAAA']) assert.ok(!String(error.message).includes(secret));
      return true;
    });
  });
}

test('kafka-scram never sets the user who is in use', async () => {
  const candidate = await scramCandidate();
  const first = await candidate.strategy.create(undefined);
  await candidate.strategy.set(first, undefined);
  const same = Buffer.from(JSON.stringify({ ...JSON.parse(first.toString()), password: 'another' }));
  await assert.rejects(candidate.strategy.set(same, first), StrategyRefusedError);
  await candidate.strategy.revoke(same, first, 'destroy');
  await candidate.strategy.test(first);
  await candidate.close();
});

test('kafka-scram, hmac-key, password, tls-certificate and service-account-key keep what else stands in the value: it is read by alias as well', async () => {
  for (const name of ['kafka-scram', 'hmac-key', 'password', 'tls-certificate', 'service-account-key']) {
    const candidate = await candidates[name]?.();
    const current = { private_key_id: 'none', username: 'a', password: 'p', brokers: ['b-1:9094'], database: 'orders' };
    const made = await candidate?.strategy.create(Buffer.from(JSON.stringify(current)));
    const { brokers, database } = JSON.parse(String(made));
    assert.deepEqual({ brokers, database }, { brokers: ['b-1:9094'], database: 'orders' });
    await candidate?.close();
  }
});
