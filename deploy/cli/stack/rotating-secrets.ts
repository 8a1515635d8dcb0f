import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { credentials } from '@grpc/grpc-js';
import { GoogleAuth, PassThroughClient } from 'google-auth-library';
import { parseDocument } from 'yaml';
import { openScramCredentials } from '../../../shared/adapters/kafka/wire/scram-credentials.ts';
import type { Declaration, RotatedSecret } from '../../../shared/model/config/declaration.ts';
import type { LocalCloud } from '../../local/cloud.ts';
import { localProject } from '../../local/project.ts';
import { identities } from './identities.ts';

const PASSWORD_BYTES = 24;
const HAS_FIRST: ReadonlySet<string> = new Set(['kafka-scram', 'hmac-key', 'password']);
const ROTATOR = `serviceAccount:${identities.rotateSecrets}`;
const parent = `projects/${localProject}`;

/**
 * The same declaration, whose sinks log in by SCRAM where the laptop's broker asks who they are.
 *
 * @param secret holds user and password
 * @param beside folder that relative paths are meant from
 */
export function withScram(text: string, secret: string, beside: string | undefined): string {
  const document = parseDocument(text);
  document.setIn(['kafka', 'brokers'], `\${KAFKA_SASL_BROKERS}`);
  document.setIn(['kafka', 'auth'], document.createNode({ mechanism: 'scram-sha-512', secret }, { flow: true }));
  const policies = document.getIn(['access', 'policies']);
  if (beside !== undefined && typeof policies === 'string') {
    document.setIn(['access', 'policies'], resolve(beside, policies));
  }
  return String(document);
}

/** Makes what whoever sets Penstock up makes: each secret's first version, and the user that it names. */
export async function makeRotatingSecrets(cloud: LocalCloud, { secrets }: Declaration): Promise<void> {
  const [servicePath = '', port] = (cloud.env.SECRET_MANAGER_EMULATOR_HOST ?? '').split(':');
  const sslCreds = credentials.createInsecure();
  // It asks nobody who they are: without this, Google's library searches for an identity, and warns that there is none.
  const auth = new GoogleAuth({ authClient: new PassThroughClient() });
  const options = { servicePath, port: Number(port), sslCreds, auth, projectId: localProject };
  const client = new SecretManagerServiceClient(options);
  try {
    const [known] = await client.listSecrets({ parent });
    for (const secret of Object.values(secrets)) {
      const name = `${parent}/secrets/${secret.name}`;
      if (known.some((found) => found.name === name)) continue;
      await client.createSecret({ parent, secretId: secret.name, secret: { replication: { automatic: {} } } });
      const value = await firstValue(cloud, secret);
      if (value === undefined) continue;
      await client.addSecretVersion({ parent: name, payload: { data: Buffer.from(JSON.stringify(value)) } });
      const named = { name, versionAliases: { current: 1 } };
      await client.updateSecret({ secret: named, updateMask: { paths: ['version_aliases'] } });
    }
  } finally {
    await client.close();
  }
}

/** @returns undefined where the first rotation makes it */
async function firstValue(cloud: LocalCloud, { strategy }: RotatedSecret): Promise<unknown> {
  const password = randomBytes(PASSWORD_BYTES).toString('base64url');
  if (strategy.kind === 'service-account-key') cloud.identity.letManageKeys(ROTATOR, strategy.account);
  // The first rotation makes what a target system has to give, or a user's program.
  if (!HAS_FIRST.has(strategy.kind)) return undefined;
  if (strategy.kind !== 'kafka-scram') return { id: 'first', key: randomBytes(32).toString('base64'), password };
  const [username] = strategy.users;
  // The listener that asks nobody who he is lets an administrator in.
  const brokers = [cloud.env.KAFKA_BROKERS ?? ''];
  const scram = openScramCredentials({ brokers, tls: undefined, auth: undefined }, 'penstock');
  try {
    await scram.put(strategy.mechanism, { username, password });
  } finally {
    scram.close();
  }
  return { username, password };
}
