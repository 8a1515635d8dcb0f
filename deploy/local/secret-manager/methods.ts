import protos from '@google-cloud/secret-manager/build/protos/protos.js';
import { status } from '@grpc/grpc-js';
import { type Method, RpcError } from '../grpc.ts';
import { rpc } from '../rpc.ts';
import { crc32c } from './crc32c.ts';
import { type FoundVersion, invalid, type SecretEngine, type SecretSettings } from './engine.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { StoredSecret } from './store.ts';

const v1 = protos.google.cloud.secretmanager.v1;
const { Empty } = protos.google.protobuf;
type ISecret = protos.google.cloud.secretmanager.v1.ISecret;
type ISecretVersion = protos.google.cloud.secretmanager.v1.ISecretVersion;

const SERVICE = '/google.cloud.secretmanager.v1.SecretManagerService';
const DEFAULT_PAGE = 25;
const MAX_PAGE = 25_000;

/** The Secret Manager service over an engine. */
export function secretManagerMethods(engine: SecretEngine): Method[] {
  return [...secretMethods(engine), ...versionMethods(engine)];
}

function secretMethods(engine: SecretEngine): Method[] {
  return [
    rpc(`${SERVICE}/CreateSecret`, v1.CreateSecretRequest, v1.Secret, ({ parent, secretId, secret }) => {
      if (!secret?.replication) throw invalid('Secret.replication has to be set, for instance to {automatic: {}}');
      return secretToProto(engine.create(`${parent}/secrets/${secretId}`, settingsOf(secret, engine.nowMs())));
    }),
    rpc(`${SERVICE}/GetSecret`, v1.GetSecretRequest, v1.Secret, ({ name }) => secretToProto(engine.get(name))),
    rpc(`${SERVICE}/UpdateSecret`, v1.UpdateSecretRequest, v1.Secret, ({ secret, updateMask }) => {
      const settings = settingsOf(secret ?? {}, engine.nowMs());
      const { lifecycle } = engine.get(secret?.name ?? '');
      const masked = maskSettings(settings, updateMask?.paths ?? [], lifecycle);
      return secretToProto(engine.update(secret?.name ?? '', masked, secret?.etag ?? ''));
    }),
    rpc(`${SERVICE}/ListSecrets`, v1.ListSecretsRequest, v1.ListSecretsResponse, (request) => {
      const { items, nextPageToken, totalSize } = page(engine.list(request.parent), request);
      return { secrets: items.map(secretToProto), nextPageToken, totalSize };
    }),
    rpc(`${SERVICE}/DeleteSecret`, v1.DeleteSecretRequest, Empty, ({ name, etag }) => {
      engine.delete(name, etag);
      return {};
    }),
  ];
}

function versionMethods(engine: SecretEngine): Method[] {
  return [
    rpc(`${SERVICE}/AddSecretVersion`, v1.AddSecretVersionRequest, v1.SecretVersion, ({ parent, payload }) => {
      const data =
        typeof payload?.data === 'string' ? Buffer.from(payload.data, 'base64') : (payload?.data ?? Buffer.alloc(0));
      const checksum = payload?.dataCrc32c ?? undefined;
      if (checksum !== undefined && Number(checksum) !== crc32c(data)) {
        throw invalid(
          `The payload's CRC32C is ${crc32c(data)}, the request says ${checksum}: it was damaged on its way`,
        );
      }
      return versionToProto(engine.addVersion(parent, data, checksum !== undefined));
    }),
    rpc(`${SERVICE}/GetSecretVersion`, v1.GetSecretVersionRequest, v1.SecretVersion, ({ name }) =>
      versionToProto(engine.version(name)),
    ),
    rpc(`${SERVICE}/ListSecretVersions`, v1.ListSecretVersionsRequest, v1.ListSecretVersionsResponse, (request) => {
      const secret = engine.get(request.parent);
      const newestFirst = secret.versions.map((version, at) => ({ secret, version, number: at + 1 })).reverse();
      const { items, nextPageToken, totalSize } = page(newestFirst, request);
      return { versions: items.map(versionToProto), nextPageToken, totalSize };
    }),
    rpc(`${SERVICE}/AccessSecretVersion`, v1.AccessSecretVersionRequest, v1.AccessSecretVersionResponse, ({ name }) => {
      const { data, ...found } = engine.access(name);
      return { name: versionName(found), payload: { data, dataCrc32c: crc32c(data) } };
    }),
    rpc(`${SERVICE}/EnableSecretVersion`, v1.EnableSecretVersionRequest, v1.SecretVersion, ({ name, etag }) =>
      versionToProto(engine.setState(name, 'ENABLED', etag)),
    ),
    rpc(`${SERVICE}/DisableSecretVersion`, v1.DisableSecretVersionRequest, v1.SecretVersion, ({ name, etag }) =>
      versionToProto(engine.setState(name, 'DISABLED', etag)),
    ),
    rpc(`${SERVICE}/DestroySecretVersion`, v1.DestroySecretVersionRequest, v1.SecretVersion, ({ name, etag }) =>
      versionToProto(engine.setState(name, 'DESTROYED', etag)),
    ),
  ];
}

function settingsOf(secret: ISecret, nowMs: number): SecretSettings {
  const refused = {
    'replication.user_managed': secret.replication?.userManaged,
    customer_managed_encryption: secret.customerManagedEncryption,
  };
  for (const [field, value] of Object.entries(refused)) {
    if (value)
      throw new RpcError(status.UNIMPLEMENTED, `Secret.${field} is not to be had on the local server: leave it out`);
  }
  const aliases = Object.entries(secret.versionAliases ?? {});
  return {
    labels: secret.labels ?? {},
    annotations: secret.annotations ?? {},
    versionAliases: Object.fromEntries(aliases.map(([alias, number]) => [alias, Number(number)])),
    lifecycle: lifecycleOf(secret, nowMs),
  };
}

function lifecycleOf({ topics, rotation, expireTime, ttl, versionDestroyTtl }: ISecret, nowMs: number): Lifecycle {
  const nextAtMs = timeOf(rotation?.nextRotationTime);
  const periodMs = durationOf(rotation?.rotationPeriod);
  if (periodMs !== undefined && nextAtMs === undefined) {
    throw invalid('Rotation.next_rotation_time must be set where rotation_period is');
  }
  const ttlMs = durationOf(ttl);
  return {
    topics: (topics ?? []).map(({ name }) => name ?? ''),
    rotation: nextAtMs === undefined ? undefined : { nextAtMs, periodMs },
    expiresAtMs: timeOf(expireTime) ?? (ttlMs === undefined ? undefined : nowMs + ttlMs),
    destroyTtlMs: durationOf(versionDestroyTtl),
  };
}

/** Which part of a lifecycle each path of a mask means. */
const LIFECYCLE_PATHS: Readonly<Record<string, keyof Lifecycle>> = {
  topics: 'topics',
  rotation: 'rotation',
  'rotation.next_rotation_time': 'rotation',
  'rotation.rotation_period': 'rotation',
  expire_time: 'expiresAtMs',
  ttl: 'expiresAtMs',
  version_destroy_ttl: 'destroyTtlMs',
};

function maskSettings(settings: SecretSettings, paths: readonly string[], before: Lifecycle): Partial<SecretSettings> {
  if (paths.length === 0) throw invalid('update_mask has to name at least one field');
  let masked: Partial<SecretSettings> = {};
  for (const path of paths) {
    const part = LIFECYCLE_PATHS[path];
    if (path === 'labels') masked = { ...masked, labels: settings.labels };
    else if (path === 'annotations') masked = { ...masked, annotations: settings.annotations };
    else if (path === 'version_aliases') masked = { ...masked, versionAliases: settings.versionAliases };
    else if (part !== undefined) {
      const lifecycle = masked.lifecycle ?? before;
      masked = { ...masked, lifecycle: { ...lifecycle, [part]: settings.lifecycle[part] } };
    } else throw invalid(`update_mask names ${path}, which cannot be changed here`);
  }
  return masked;
}

function page<T>(
  items: readonly T[],
  request: { pageSize: number; pageToken: string; filter: string },
): { items: T[]; nextPageToken: string; totalSize: number } {
  if (request.filter !== '')
    throw new RpcError(status.UNIMPLEMENTED, 'The local server lists without filters: leave it out');
  const from = request.pageToken === '' ? 0 : Number(request.pageToken);
  if (!Number.isSafeInteger(from) || from < 0 || request.pageSize < 0) {
    throw invalid(`page_token "${request.pageToken}" or page_size ${request.pageSize} is not valid`);
  }
  const to = from + Math.min(request.pageSize || DEFAULT_PAGE, MAX_PAGE);
  return { items: items.slice(from, to), nextPageToken: to < items.length ? String(to) : '', totalSize: items.length };
}

function secretToProto(secret: StoredSecret): ISecret {
  const { topics, rotation, expiresAtMs, destroyTtlMs } = secret.lifecycle;
  return {
    topics: topics.map((name) => ({ name })),
    ...(rotation && {
      rotation: {
        nextRotationTime: toTimestamp(rotation.nextAtMs),
        ...(rotation.periodMs !== undefined && { rotationPeriod: toDuration(rotation.periodMs) }),
      },
    }),
    ...(expiresAtMs !== undefined && { expireTime: toTimestamp(expiresAtMs) }),
    ...(destroyTtlMs !== undefined && { versionDestroyTtl: toDuration(destroyTtlMs) }),
    name: secret.name,
    replication: { automatic: {} },
    createTime: toTimestamp(secret.createTimeMs),
    labels: { ...secret.labels },
    annotations: { ...secret.annotations },
    versionAliases: { ...secret.versionAliases },
    etag: secret.etag,
  };
}

function versionToProto(found: FoundVersion): ISecretVersion {
  const { version } = found;
  return {
    name: versionName(found),
    createTime: toTimestamp(version.createTimeMs),
    ...(version.scheduledDestroyTimeMs !== undefined && {
      scheduledDestroyTime: toTimestamp(version.scheduledDestroyTimeMs),
    }),
    ...(version.destroyTimeMs !== null && { destroyTime: toTimestamp(version.destroyTimeMs) }),
    state: v1.SecretVersion.State[version.state],
    replicationStatus: { automatic: {} },
    etag: version.etag,
    clientSpecifiedPayloadChecksum: version.hasClientChecksum,
  };
}

function versionName({ secret, number }: Omit<FoundVersion, 'version'>): string {
  return `${secret.name}/versions/${number}`;
}

function toTimestamp(ms: number): protos.google.protobuf.ITimestamp {
  return { seconds: Math.floor(ms / 1000), nanos: Math.floor(ms % 1000) * 1e6 };
}

function toDuration(ms: number): protos.google.protobuf.IDuration {
  return { seconds: Math.floor(ms / 1000), nanos: Math.floor(ms % 1000) * 1e6 };
}

function timeOf(time: protos.google.protobuf.ITimestamp | null | undefined): number | undefined {
  return time ? Number(time.seconds ?? 0) * 1000 + Math.floor((time.nanos ?? 0) / 1e6) : undefined;
}

function durationOf(duration: protos.google.protobuf.IDuration | null | undefined): number | undefined {
  return timeOf(duration);
}
