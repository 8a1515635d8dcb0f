import { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { credentials } from '@grpc/grpc-js';
import { localProject } from '../../deploy/local/project.ts';
import type { CloudWriter } from './cloud-writer.ts';

const SECRET = 'crash';
const TIMEOUT_MS = 5_000;
/** A secret has few versions in practice; most of the load goes to the other servers. */
const EVERY = 10;

/** Adds versions to a secret. */
export async function openSecretWriter(host: string): Promise<CloudWriter> {
  const [servicePath = '', port] = host.split(':');
  const sslCreds = credentials.createInsecure();
  const client = new SecretManagerServiceClient({
    servicePath,
    port: Number(port),
    sslCreds,
    projectId: localProject,
  });
  const parent = `projects/${localProject}`;
  const name = `${parent}/secrets/${SECRET}`;
  await client.createSecret({ parent, secretId: SECRET, secret: { replication: { automatic: {} } } });
  /** Version's name → its payload. */
  const acknowledged = new Map<string, string>();
  let sent = 0;
  return {
    name: 'secrets',
    async write(id) {
      if (id % EVERY !== 0) return;
      sent += 1;
      const request = { parent: name, payload: { data: Buffer.from(`password-${id}`) } };
      const [version] = await client.addSecretVersion(request, { timeout: TIMEOUT_MS });
      acknowledged.set(version.name ?? '', `password-${id}`);
    },
    async check() {
      let lost = 0;
      for (const [version, wanted] of acknowledged) {
        const payload = await client.accessSecretVersion({ name: version }).then(
          ([answer]) => Buffer.from(answer.payload?.data ?? '').toString(),
          () => undefined,
        );
        if (payload !== wanted) lost += 1;
      }
      const [versions] = await client.listSecretVersions({ parent: name });
      return { acknowledged: acknowledged.size, lost, doubled: 0, strange: Math.max(0, versions.length - sent) };
    },
    close: () => client.close(),
  };
}
