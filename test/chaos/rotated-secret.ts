import { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { credentials } from '@grpc/grpc-js';
import { localProject } from '../../deploy/local/project.ts';
import { openCluster } from '../../shared/adapters/kafka/wire/cluster.ts';
import { openScramCredentials } from '../../shared/adapters/kafka/wire/scram-credentials.ts';
import type { ChaosCloud, ChaosKafka } from './chaos-cloud.ts';

export const rotatedSecret = 'kafka-sink';
/** Short of what a worker needs to hear of a new version (a session is renewed after 3.4 s): the old one waits for those who are seen with it. */
const OVERLAP_MS = 500;
const WAIT_FOR_USERS_MS = 120_000;
const ADMIN = 'kafka-admin';
const MECHANISM = 'scram-sha-512';
const parent = `projects/${localProject}`;

/** What of a declaration lets sinks log in by a secret that rotates. */
export function scramSettings({ saslBrokers = [] }: ChaosKafka): { readonly kafka: string; readonly secrets: string } {
  return {
    kafka: `brokers: "${saslBrokers.join(',')}", auth: { mechanism: ${MECHANISM}, secret: ${rotatedSecret} }`,
    secrets: `
secrets:
  ${rotatedSecret}:
    strategy: kafka-scram
    users: [sink-a, sink-b]
    admin: ${ADMIN}
    every: 28d
    overlap: ${OVERLAP_MS}ms
    waitForUsers: ${WAIT_FOR_USERS_MS}ms
    destroyAfter: 100ms
`,
  };
}

/** A secret as people see it, and the users of its target. */
export interface RotatedSecret {
  /** Version numbers by alias. */
  aliases(): Promise<Readonly<Record<string, number>>>;
  /** Versions that can be read. */
  enabled(): Promise<readonly number[]>;
  /** Users that brokers know, without the administrator. */
  users(): Promise<readonly string[]>;
  /** Logs in by what `current` names now. */
  logIn(): Promise<void>;
  close(): Promise<void>;
}

/** Makes the administrator, the first user and their secrets, as whoever sets Penstock up does. */
export async function openRotatedSecret(cloud: ChaosCloud): Promise<RotatedSecret> {
  const { brokers, saslBrokers = [] } = cloud.kafka;
  const [servicePath = '', port] = (cloud.env.SECRET_MANAGER_EMULATOR_HOST ?? '').split(':');
  const sslCreds = credentials.createInsecure();
  const client = new SecretManagerServiceClient({ servicePath, port: Number(port), sslCreds, projectId: localProject });
  const scram = openScramCredentials({ brokers, tls: undefined, auth: undefined }, 'penstock-chaos');
  for (const [secretId, username] of Object.entries({ [ADMIN]: 'admin', [rotatedSecret]: 'sink-a' })) {
    const user = { username, password: `first password of ${username}` };
    await scram.put(MECHANISM, user);
    const name = `${parent}/secrets/${secretId}`;
    await client.createSecret({ parent, secretId, secret: { replication: { automatic: {} } } });
    await client.addSecretVersion({ parent: name, payload: { data: Buffer.from(JSON.stringify(user)) } });
    const secret = { name, versionAliases: { current: 1 } };
    await client.updateSecret({ secret, updateMask: { paths: ['version_aliases'] } });
  }
  const name = `${parent}/secrets/${rotatedSecret}`;
  const current = async () => {
    const [{ payload }] = await client.accessSecretVersion({ name: `${name}/versions/current` });
    return JSON.parse(Buffer.from(payload?.data ?? '').toString());
  };
  return {
    async aliases() {
      const [{ versionAliases }] = await client.getSecret({ name });
      const entries = Object.entries(versionAliases ?? {});
      return Object.fromEntries(entries.map(([alias, version]) => [alias, Number(version)]));
    },
    async enabled() {
      const [versions] = await client.listSecretVersions({ parent: name });
      const enabled = versions.filter(({ state }) => state === 'ENABLED');
      return enabled.map((version) => Number(version.name?.split('/').at(-1)));
    },
    users: async () => (await scram.users()).filter((user) => user !== 'admin'),
    async logIn() {
      const auth = { mechanism: MECHANISM, credentials: current } as const;
      const cluster = openCluster({ brokers: saslBrokers, tls: undefined, auth }, 'penstock-probe');
      try {
        await cluster.metadata([]);
      } finally {
        cluster.close();
      }
    },
    async close() {
      scram.close();
      await client.close();
    },
  };
}
