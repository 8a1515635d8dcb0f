import type { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import type { Database } from '@google-cloud/spanner';
import { openLocalDatabase } from '../../../deploy/cli/stack/open-local-database.ts';
import { type KafkaServer, openKafkaServer } from '../../../deploy/local/kafka/server.ts';
import { localProject } from '../../../deploy/local/project.ts';
import { openSecretManagerServer } from '../../../deploy/local/secret-manager/server.ts';
import { openSpannerServer } from '../../../deploy/local/spanner/server.ts';
import { openRotator, type Rotator, type RotatorOptions } from '../../../functions/rotate-secrets/open-rotator.ts';
import { openScramCredentials, type ScramCredentials } from '../../../shared/adapters/kafka/wire/scram-credentials.ts';
import { noLog } from '../../../shared/base/log.ts';
import type { Declaration, KafkaConnection, RotatedSecret } from '../../../shared/model/config/declaration.ts';
import { addSecret, openSecretClient } from '../../deploy/local/secret-manager/secret-client.ts';
import { emptyDeclaration } from './empty-declaration.ts';

const database = `projects/${localProject}/instances/main/databases/rotation`;
const LISTENER = 'SASL_PLAINTEXT';

export const kafkaSink: RotatedSecret = {
  name: 'kafka-sink',
  strategy: { kind: 'kafka-scram', users: ['sink-a', 'sink-b'], mechanism: 'scram-sha-512', admin: 'kafka-admin' },
  everyMs: 28 * 86_400_000,
  overlapMs: 3_600_000,
  waitForUsersMs: 1_800_000,
  destroyAfterMs: 7 * 86_400_000,
};

/** Servers with a secret whose first version works, and time that stands until it is moved. */
export interface RotationStage {
  readonly client: SecretManagerServiceClient;
  readonly database: Database;
  readonly kafka: KafkaServer;
  readonly scram: ScramCredentials;
  readonly declaration: Declaration;
  /** By this one a new password is set, and nobody can log in with it. */
  readonly refusing: Declaration;
  nowMs: number;
  openRotator(options?: Partial<RotatorOptions>): Rotator;
  /** Version numbers by alias. */
  aliases(): Promise<Record<string, number>>;
  /** States by version, from 1. */
  states(): Promise<string[]>;
  /** What a version holds. */
  value(version: string): Promise<{ readonly username: string; readonly password: string }>;
  addSecret(name: string, value: string): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Opens it; clients find its servers through the environment. */
export async function openRotationStage(): Promise<RotationStage> {
  const spanner = await openSpannerServer({});
  const time = { nowMs: Date.now() };
  const manager = await openSecretManagerServer({ now: () => time.nowMs });
  const kafka = await openKafkaServer({
    listeners: { [LISTENER]: { sasl: { mechanisms: ['SCRAM-SHA-512'] } } },
  });
  process.env.SECRET_MANAGER_EMULATOR_HOST = manager.address;
  const env = { SPANNER_EMULATOR_HOST: spanner.address, PUBSUB_EMULATOR_HOST: '127.0.0.1:1' };
  const opened = await openLocalDatabase({ env }, database, '');
  const client = openSecretClient(manager.address);
  const scram = openScramCredentials({ brokers: [kafka.address], tls: undefined, auth: undefined }, 'test');
  await scram.put('scram-sha-512', { username: 'admin', password: 'admin-password' });
  await scram.put('scram-sha-512', { username: 'sink-a', password: 'first-password' });
  const parent = `projects/${localProject}`;
  const name = `${parent}/secrets/${kafkaSink.name}`;
  const connection: KafkaConnection = {
    brokers: [kafka.addresses[LISTENER] ?? ''],
    driver: 'wire',
    tls: false,
    caSecret: undefined,
    auth: { mechanism: 'scram-sha-512', secret: kafkaSink.name },
  };
  const declaration: Declaration = {
    ...emptyDeclaration(database),
    kafka: connection,
    secrets: { [kafkaSink.name]: kafkaSink },
  };
  await addSecret(client, 'kafka-admin', JSON.stringify({ username: 'admin', password: 'admin-password' }));
  await addSecret(client, kafkaSink.name, JSON.stringify({ username: 'sink-a', password: 'first-password' }));
  const rotators: Rotator[] = [];
  // The listener that asks nobody who he is lets an administrator in, and nobody log in.
  const open = { ...connection, brokers: [kafka.address], auth: undefined };
  const ownAdmin = { ...kafkaSink, strategy: { ...kafkaSink.strategy, admin: undefined } };
  const stage: RotationStage = {
    client,
    database: opened,
    kafka,
    scram,
    declaration,
    refusing: { ...declaration, kafka: open, secrets: { [kafkaSink.name]: ownAdmin } },
    get nowMs() {
      return time.nowMs;
    },
    set nowMs(ms) {
      time.nowMs = ms;
    },
    openRotator(options = {}) {
      const rotator = openRotator({
        declaration,
        log: noLog,
        identity: 'rotator@test',
        clock: () => stage.nowMs,
        sleep: async () => {},
        ...options,
      });
      rotators.push(rotator);
      return rotator;
    },
    addSecret: (secret, value) => addSecret(client, secret, value),
    async aliases() {
      const [{ versionAliases }] = await client.getSecret({ name });
      const entries = Object.entries(versionAliases ?? {});
      return Object.fromEntries(entries.map(([alias, version]) => [alias, Number(version)]));
    },
    async states() {
      const [versions] = await client.listSecretVersions({ parent: name });
      return versions.map(({ state }) => String(state)).reverse();
    },
    async value(version) {
      const [{ payload }] = await client.accessSecretVersion({ name: `${name}/versions/${version}` });
      return JSON.parse(Buffer.from(payload?.data ?? '').toString());
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(rotators.map((rotator) => rotator.close()));
      scram.close();
      await client.close();
      await opened.close();
      await kafka.close();
      await manager.close();
      await spanner.close();
    },
  };
  return stage;
}
