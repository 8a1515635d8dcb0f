import type { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { crc32c } from './crc32c.ts';
import { openSecretClient } from './secret-client.ts';

/** gRPC's DEADLINE_EXCEEDED is left out: the deadline is the whole call's. */
const RETRIED_CODES = [8, 14];
const BACKOFF = { initialRetryDelayMillis: 100, retryDelayMultiplier: 2, maxRetryDelayMillis: 1_000 };

/** A version as Secret Manager gave it. */
export interface AccessedVersion {
  /** Its number. */
  readonly version: string;
  /** Ours alone. */
  readonly bytes: Buffer;
}

/** Secret Manager, which is asked for one version at a time. */
export interface SecretManager {
  /**
   * Reads a version and checks its sum.
   *
   * @param name `projects/P/secrets/S/versions/V`, V an alias or a number
   * @param options.retries whether calls that failed for want of a server are repeated within the deadline
   */
  access(name: string, options: { deadlineMs: number; retries: boolean }): Promise<AccessedVersion>;
  close(): Promise<void>;
}

/** Makes Secret Manager's official client at the first call, as it takes long to load; follows SECRET_MANAGER_EMULATOR_HOST. */
export function openSecretManager(): SecretManager {
  let opened: Promise<SecretManagerServiceClient> | undefined;
  return {
    async access(name, { deadlineMs, retries }) {
      // Loading takes a slow machine seconds, once, and says nothing about the server.
      await import('@google-cloud/secret-manager');
      const [answer] = await within(deadlineMs, async () => {
        opened ??= openSecretClient().catch((error) => {
          // The client never looks for credentials twice: where it found none, another one has to.
          opened = undefined;
          throw error;
        });
        const client = await opened;
        return callAccess(client, name, { deadlineMs, retries });
      });
      return readAnswer(name, answer);
    },
    async close() {
      const client = await opened?.catch(() => undefined);
      await client?.close();
    },
  };
}

/** Not by the client's own method: that writes the whole answer into its log, which a variable can turn on. */
async function callAccess(
  client: SecretManagerServiceClient,
  name: string,
  { deadlineMs, retries }: { deadlineMs: number; retries: boolean },
): Promise<readonly unknown[]> {
  const call = client.innerApiCalls.accessSecretVersion;
  if (!call) throw new Error('The client has no call accessSecretVersion: its version is not the one that is pinned');
  const headers = { 'x-goog-request-params': `name=${encodeURIComponent(name)}` };
  const timeouts = { initialRpcTimeoutMillis: deadlineMs, rpcTimeoutMultiplier: 1, maxRpcTimeoutMillis: deadlineMs };
  const retry = {
    retryCodes: retries ? RETRIED_CODES : [],
    backoffSettings: { ...BACKOFF, ...timeouts, totalTimeoutMillis: deadlineMs },
  };
  return await call({ name }, { timeout: deadlineMs, retry, otherArgs: { headers } });
}

async function within<T>(deadlineMs: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Secret Manager has not answered within ${deadlineMs} ms`)), deadlineMs);
  });
  return await Promise.race([work(), late]).finally(() => clearTimeout(timer));
}

function readAnswer(name: string, answer: unknown): AccessedVersion {
  const version = /\/versions\/(\d+)$/.exec(String(fieldOf(answer, 'name')))?.[1];
  const payload = fieldOf(answer, 'payload');
  const data = fieldOf(payload, 'data');
  if (version === undefined || !(data instanceof Uint8Array)) throw new Error(`The answer for ${name} has no payload`);
  const bytes = Buffer.from(data);
  // The answer is a view into what came over the wire: leave no second copy there.
  data.fill(0);
  const expected = Number(fieldOf(payload, 'dataCrc32c') ?? Number.NaN);
  const actual = crc32c(bytes);
  if (actual === expected) return { version, bytes };
  bytes.fill(0);
  throw new Error(`The payload of ${name} was damaged on its way: its CRC-32C is not ${expected}`);
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;
}
