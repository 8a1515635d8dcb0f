import { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { credentials } from '@grpc/grpc-js';
import { localProject } from '../../../../deploy/local/project.ts';

const parent = `projects/${localProject}`;

/** The official client of the laptop's Secret Manager. */
export function openSecretClient(address: string): SecretManagerServiceClient {
  const [servicePath = '', port] = address.split(':');
  const sslCreds = credentials.createInsecure();
  return new SecretManagerServiceClient({ servicePath, port: Number(port), sslCreds, projectId: localProject });
}

/** Makes a secret with one version, which is current; without a value, one that has none yet. */
export async function addSecret(client: SecretManagerServiceClient, secretId: string, value?: string): Promise<void> {
  const name = `${parent}/secrets/${secretId}`;
  await client.createSecret({ parent, secretId, secret: { replication: { automatic: {} } } });
  if (value === undefined) return;
  await client.addSecretVersion({ parent: name, payload: { data: Buffer.from(value) } });
  await client.updateSecret({
    secret: { name, versionAliases: { current: 1 } },
    updateMask: { paths: ['version_aliases'] },
  });
}
