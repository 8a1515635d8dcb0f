import type { protos, SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { messageOf, PenstockError } from '../../base/errors.ts';
import type { SecretView, VersionView } from '../../model/rotation/next-effect.ts';
import { crc32c } from './crc32c.ts';
import { openSecretClient } from './secret-client.ts';
import { openSecretManager } from './secret-manager.ts';

type ISecretVersion = protos.google.cloud.secretmanager.v1.ISecretVersion;

const DEADLINE_MS = 20_000;
const NAME = /^[\w-]{1,255}$/;
/** Of google.rpc.Code. */
const code = { notFound: 5, failedPrecondition: 9, aborted: 10 } as const;
const RETRYABLE: ReadonlySet<unknown> = new Set([4, 8, 10, 13, 14]);

/** Somebody else changed the secret since it was looked at. */
export class SecretChangedError extends PenstockError {
  constructor(secret: string, cause: unknown) {
    super(`Secret ${secret} was changed by another since it was looked at`, {
      code: 'SECRET_CHANGED',
      remedy: 'Nothing to do: it is looked at again',
      retryable: true,
      cause,
    });
  }
}

/** Secret Manager did not do what it was asked for. No message or cause holds a part of a value. */
export class SecretVaultError extends PenstockError {
  constructor(attempted: string, cause: unknown) {
    const isRetryable = RETRYABLE.has(codeOf(cause));
    super(`Cannot ${attempted}: ${messageOf(cause)}`, {
      code: isRetryable ? 'SECRET_UNAVAILABLE' : 'SECRET_REFUSED',
      remedy: isRetryable
        ? 'Nothing to do where Secret Manager comes back by itself: the rotation goes on at its next run'
        : 'Check that the secret exists and that this identity has secretmanager.admin on it',
      retryable: isRetryable,
      cause,
    });
  }
}

/** When a version was made, beside what it is. */
export interface StoredVersion extends VersionView {
  readonly createdAtMs: number;
}

/** A secret without its values. */
export interface StoredSecret extends SecretView {
  readonly versions: readonly StoredVersion[];
  /** When Secret Manager asks for the next rotation. */
  readonly nextRotationAtMs: number | undefined;
  /** When Secret Manager deletes it, with all versions. */
  readonly expiresAtMs: number | undefined;
}

/** The secrets of a project, to be changed; every change of aliases is under the secret's etag. */
export interface SecretVault {
  look(secret: string): Promise<StoredSecret>;
  /** @returns the version's bytes, which are its taker's to wipe */
  read(secret: string, version: number): Promise<Buffer>;
  /** Adds a version whose sum Secret Manager compares. @returns its number */
  add(secret: string, bytes: Buffer): Promise<number>;
  /** @throws {SecretChangedError} when the etag is not the secret's any more */
  alias(secret: string, aliases: Readonly<Record<string, number>>, etag: string): Promise<void>;
  /** Does nothing to a version that is so already; destroying cannot be undone. */
  change(secret: string, version: number, to: 'enable' | 'disable' | 'destroy'): Promise<void>;
  close(): Promise<void>;
}

/** Opens the secrets of a project; Secret Manager is reached at the first call. */
export function openSecretVault(projectId: string): SecretVault {
  const reader = openSecretManager();
  let opened: Promise<SecretManagerServiceClient> | undefined;
  const client = async (): Promise<SecretManagerServiceClient> => {
    opened ??= openSecretClient().catch((error) => {
      opened = undefined;
      throw error;
    });
    return await opened;
  };
  const nameOf = (secret: string): string => {
    if (!NAME.test(secret)) throw new RangeError(`${JSON.stringify(secret)} is no name of a secret`);
    return `projects/${projectId}/secrets/${secret}`;
  };
  return {
    look: (secret) => attempt(`look at secret ${secret}`, async () => lookAt(await client(), nameOf(secret))),
    read: (secret, version) =>
      attempt(`read version ${version} of secret ${secret}`, async () => {
        const name = `${nameOf(secret)}/versions/${version}`;
        return (await reader.access(name, { deadlineMs: DEADLINE_MS, retries: true })).bytes;
      }),
    add: (secret, bytes) =>
      attempt(`add a version to secret ${secret}`, async () => addVersion(await client(), nameOf(secret), bytes)),
    async alias(secret, aliases, etag) {
      await attempt(`move the aliases of secret ${secret}`, async () => {
        const named = { name: nameOf(secret), etag, versionAliases: { ...aliases } };
        const updateMask = { paths: ['version_aliases'] };
        await (await client()).updateSecret({ secret: named, updateMask }, { timeout: DEADLINE_MS });
      }).catch((error: unknown) => {
        const cause = error instanceof SecretVaultError ? codeOf(error.cause) : undefined;
        throw cause === code.failedPrecondition || cause === code.aborted
          ? new SecretChangedError(secret, error)
          : error;
      });
    },
    async change(secret, version, to) {
      await attempt(`${to} version ${version} of secret ${secret}`, async () => {
        await changeVersion(await client(), `${nameOf(secret)}/versions/${version}`, to);
      });
    },
    async close() {
      await reader.close();
      const open = await opened?.catch(() => undefined);
      await open?.close();
    },
  };
}

async function lookAt(client: SecretManagerServiceClient, name: string): Promise<StoredSecret> {
  const [secret] = await client.getSecret({ name }, { timeout: DEADLINE_MS });
  const [versions] = await client.listSecretVersions({ parent: name }, { timeout: DEADLINE_MS });
  const aliases = Object.entries(secret.versionAliases ?? {});
  return {
    etag: secret.etag ?? '',
    aliases: Object.fromEntries(aliases.map(([alias, version]) => [alias, Number(version)])),
    versions: versions.map(versionOf),
    nextRotationAtMs: timeOf(secret.rotation?.nextRotationTime),
    expiresAtMs: timeOf(secret.expireTime),
  };
}

/** Not by the client's own method: that writes the whole request into its log, which a variable can turn on. */
async function addVersion(client: SecretManagerServiceClient, parent: string, bytes: Buffer): Promise<number> {
  const call = client.innerApiCalls.addSecretVersion;
  if (!call) throw new Error('The client has no call addSecretVersion: its version is not the one that is pinned');
  const headers = { 'x-goog-request-params': `parent=${encodeURIComponent(parent)}` };
  const payload = { data: bytes, dataCrc32c: crc32c(bytes) };
  const [version]: readonly unknown[] = await call(
    { parent, payload },
    { timeout: DEADLINE_MS, otherArgs: { headers } },
  );
  return numberOf(version);
}

async function changeVersion(
  client: SecretManagerServiceClient,
  name: string,
  to: 'enable' | 'disable' | 'destroy',
): Promise<void> {
  const options = { timeout: DEADLINE_MS };
  try {
    if (to === 'enable') await client.enableSecretVersion({ name }, options);
    else if (to === 'disable') await client.disableSecretVersion({ name }, options);
    else await client.destroySecretVersion({ name }, options);
  } catch (error) {
    // Destroyed is destroyed: whoever wants less than that of it has nothing to do.
    if (to === 'enable' || codeOf(error) !== code.failedPrecondition) throw error;
  }
}

function versionOf(version: ISecretVersion): StoredVersion {
  const state = String(version.state);
  return {
    number: numberOf(version),
    // A version that waits for its delayed destruction cannot be read either.
    state:
      state === 'ENABLED'
        ? 'enabled'
        : state === 'DESTROYED' || version.scheduledDestroyTime
          ? 'destroyed'
          : 'disabled',
    createdAtMs: timeOf(version.createTime) ?? 0,
  };
}

function numberOf(version: unknown): number {
  const name = typeof version === 'object' && version !== null ? Reflect.get(version, 'name') : undefined;
  const number = Number(/\/versions\/(\d+)$/.exec(String(name))?.[1]);
  if (!Number.isSafeInteger(number)) throw new Error(`Secret Manager answered with no version: ${String(name)}`);
  return number;
}

function timeOf(time: protos.google.protobuf.ITimestamp | null | undefined): number | undefined {
  if (!time) return undefined;
  return Number(time.seconds ?? 0) * 1_000 + Math.floor((time.nanos ?? 0) / 1e6);
}

async function attempt<T>(attempted: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new SecretVaultError(attempted, error);
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
