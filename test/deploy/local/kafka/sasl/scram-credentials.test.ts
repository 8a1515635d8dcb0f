import assert from 'node:assert/strict';
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import {
  alterUserScramCredentialsV0,
  Connection,
  describeUserScramCredentialsV0,
  ScramMechanisms,
} from '@platformatic/kafka';
import { errorCode } from '../../../../../deploy/local/kafka/protocol/error-code.ts';
import type { ScramMechanism } from '../../../../../deploy/local/kafka/sasl/scram-keys.ts';
import { type KafkaServer, openKafkaServer } from '../../../../../deploy/local/kafka/server.ts';
import { openAdmin, throughKafkajs, throughPlatformatic } from './clients.ts';

const numbers = { 'SCRAM-SHA-256': ScramMechanisms.SCRAM_SHA_256, 'SCRAM-SHA-512': ScramMechanisms.SCRAM_SHA_512 };
const digests = { 'SCRAM-SHA-256': ['sha256', 32], 'SCRAM-SHA-512': ['sha512', 64] } as const;

interface Result {
  readonly user: string;
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

/** What an administrator's tool sends: the password salted on its side. */
function upsertion(
  name: string,
  password: string,
  { mechanism = 'SCRAM-SHA-512' as ScramMechanism, iterations = 4096 } = {},
) {
  const salt = randomBytes(16);
  const [digest, bytes] = digests[mechanism];
  const saltedPassword = pbkdf2Sync(password, salt, iterations, bytes, digest);
  return { name, mechanism: numbers[mechanism], iterations, salt, saltedPassword };
}

suite('users of SCRAM, administered by @platformatic/kafka', () => {
  let dir: string;
  let server: KafkaServer;
  let connection: Connection;

  const start = async (users: Record<string, string> = {}): Promise<void> => {
    server = await openKafkaServer({
      dir,
      users,
      listeners: { SASL: { sasl: { mechanisms: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] } } },
    });
    connection = new Connection('admin');
    const [host = '', port] = server.address.split(':');
    await connection.connect(host, Number(port));
  };
  const stop = async (): Promise<void> => {
    await connection.close();
    await server.close();
  };
  /** The broker's results, whether or not the client made an error of them. */
  const alter = async (deletions: object[], upsertions: object[]): Promise<Result[]> => {
    const call = alterUserScramCredentialsV0.api.async(connection, deletions as never, upsertions as never);
    return call.then(
      ({ results }) => results,
      ({ response }) => response.results,
    );
  };
  const describe = async (...users: string[]): Promise<unknown[]> => {
    const call = describeUserScramCredentialsV0.api.async(connection, users.map((name) => ({ name })) as never);
    const { results } = await call.catch(({ response }) => response);
    return results;
  };
  const login = (username: string, password: string, mechanism: ScramMechanism | 'PLAIN' = 'SCRAM-SHA-512') => ({
    address: server.addresses.SASL ?? '',
    topic: 't',
    login: { mechanism, username, password },
  });

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'kafka-'));
    await start({ given: 'first' });
    const admin = openAdmin(server.address);
    await admin.createTopics({ topics: ['t'], partitions: 1, replicas: 1 });
    await admin.close();
  });
  afterEach(async () => {
    await stop();
    rmSync(dir, { recursive: true });
  });

  test('are created, described without their keys, changed and deleted', async () => {
    const made = await alter(
      [],
      [upsertion('a', 'p1'), upsertion('b', 'q', { mechanism: 'SCRAM-SHA-256', iterations: 8192 })],
    );
    assert.deepEqual(
      made.map(({ user, errorCode: code }) => [user, code]),
      [
        ['a', 0],
        ['b', 0],
      ],
    );
    await throughKafkajs(login('a', 'p1'));
    await throughPlatformatic(login('b', 'q', 'SCRAM-SHA-256'));
    await assert.rejects(throughKafkajs(login('b', 'q', 'SCRAM-SHA-512')));
    await assert.rejects(throughKafkajs(login('a', 'p1', 'PLAIN')));
    const info = (mechanism: number, iterations: number) => ({ mechanism, iterations });
    const found = (user: string, credentialInfos: object[]) => ({
      user,
      errorCode: 0,
      errorMessage: null,
      credentialInfos,
    });
    assert.deepEqual(await describe('b'), [found('b', [info(1, 8192)])]);
    assert.deepEqual(await describe(), [
      found('a', [info(2, 4096)]),
      found('b', [info(1, 8192)]),
      found('given', [info(1, 4096), info(2, 4096)]),
    ]);
    await alter([], [upsertion('a', 'p2')]);
    await assert.rejects(throughPlatformatic(login('a', 'p1')));
    await throughPlatformatic(login('a', 'p2'));
    await alter([{ name: 'a', mechanism: numbers['SCRAM-SHA-512'] }], []);
    await assert.rejects(throughPlatformatic(login('a', 'p2')));
  });

  test('are refused where Kafka refuses them, each for itself and none by half', async () => {
    const good = upsertion('a', 'p');
    const mine = numbers['SCRAM-SHA-512'];
    const cases: [deletions: object[], upsertions: object[], code: number, message: RegExp][] = [
      [[{ name: 'nobody', mechanism: mine }], [], errorCode.resourceNotFound, /does not exist/],
      [[], [{ ...good, mechanism: 0 }], errorCode.unsupportedSaslMechanism, /Unknown SCRAM mechanism/],
      [[], [{ ...good, mechanism: 3 }], errorCode.unsupportedSaslMechanism, /Unknown SCRAM mechanism/],
      [[], [{ ...good, iterations: 4095 }], errorCode.unacceptableCredential, /Too few iterations/],
      [[], [{ ...good, iterations: 16_385 }], errorCode.unacceptableCredential, /Too many iterations/],
      [[], [{ ...good, name: '' }], errorCode.unacceptableCredential, /must not be empty/],
      [[], [{ ...good, salt: Buffer.alloc(0) }], errorCode.unacceptableCredential, /Empty salt/],
      [[], [{ ...good, saltedPassword: Buffer.alloc(32) }], errorCode.unacceptableCredential, /64 are wanted/],
      [[], [good, good], errorCode.duplicateResource, /altered twice/],
      [
        [],
        [good, upsertion('a', 'p', { mechanism: 'SCRAM-SHA-256', iterations: 1 })],
        errorCode.unacceptableCredential,
        /few/,
      ],
    ];
    for (const [deletions, upsertions, code, message] of cases) {
      const [other, refused] = await alter(deletions, [upsertion('neighbour', 'p'), ...upsertions]).then((results) =>
        results.sort((one) => (one.user === 'neighbour' ? -1 : 1)),
      );
      assert.equal(other?.errorCode, 0);
      assert.equal(refused?.errorCode, code, String(message));
      assert.match(refused?.errorMessage ?? '', message);
    }
    const [missing, twice] = (await describe('a', 'given', 'given')) as Result[];
    assert.deepEqual([missing?.errorCode, twice?.errorCode], [errorCode.resourceNotFound, errorCode.duplicateResource]);
  });

  test('survive a restart with the listeners’ ports, as keys that only their owner reads', async () => {
    const before = server.addresses;
    await alter([], [upsertion('a', 'a secret to find')]);
    // What an administrator changed counts; the password that the broker is started with counts for PLAIN.
    await alter([], [upsertion('given', 'changed')]);
    await stop();
    const kept = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    for (const entry of kept) {
      const bytes = readFileSync(join(entry.parentPath, entry.name), 'latin1');
      assert.doesNotMatch(bytes, /a secret to find|changed|first/);
    }
    assert.equal(statSync(dir).mode & 0o077, 0);
    await start({ given: 'first' });
    assert.deepEqual(server.addresses, before);
    await throughKafkajs(login('a', 'a secret to find'));
    await throughKafkajs(login('given', 'changed'));
    await throughKafkajs(login('given', 'first', 'PLAIN'));
    await assert.rejects(throughKafkajs(login('given', 'first')));
    await stop();
    await start({ given: 'second' });
    await throughKafkajs(login('given', 'second', 'PLAIN'));
    await assert.rejects(throughKafkajs(login('given', 'first', 'PLAIN')));
    await throughKafkajs(login('given', 'changed'));
    await stop();
    // Deleted is deleted: the start does not bring it back.
    await start({ given: 'second' });
    await alter([{ name: 'given', mechanism: numbers['SCRAM-SHA-512'] }], []);
    await stop();
    await start({ given: 'second' });
    await assert.rejects(throughKafkajs(login('given', 'second')));
  });

  test('rotate between two names while a client goes on with the other', async () => {
    let password = 'initial';
    await alter([], [upsertion('sink-a', password)]);
    for (const name of ['sink-b', 'sink-a', 'sink-b']) {
      const idle = name;
      const next = randomBytes(12).toString('base64');
      await throughPlatformatic(login(name === 'sink-a' ? 'sink-b' : 'sink-a', password));
      await alter([], [upsertion(idle, next)]);
      await throughPlatformatic(login(idle, next));
      await throughPlatformatic(login(name === 'sink-a' ? 'sink-b' : 'sink-a', password));
      password = next;
    }
  });
});
