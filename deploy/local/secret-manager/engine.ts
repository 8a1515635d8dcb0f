import { status } from '@grpc/grpc-js';
import { RpcError } from '../grpc.ts';
import { checkLifecycle, nextDueMs, noLifecycle, rotationAfter } from './lifecycle.ts';
import type { SecretStore, StoredSecret, StoredVersion } from './store.ts';

const MAX_PAYLOAD_BYTES = 64 * 1024;
const MAX_ALIASES = 50;
const SECRET_NAME = /^projects\/[^/]+\/secrets\/[\w-]{1,255}$/;
const ALIAS = /^[A-Za-z][\w-]{0,62}$/;

/** What can be set on a secret. */
export type SecretSettings = Pick<StoredSecret, 'labels' | 'annotations' | 'versionAliases' | 'lifecycle'>;

/** What became of a secret, as its topics are told. Source: cloud.google.com/secret-manager/docs/event-notifications. */
export interface SecretEvent {
  readonly type:
    | 'SECRET_CREATE'
    | 'SECRET_UPDATE'
    | 'SECRET_DELETE'
    | 'SECRET_ROTATE'
    | 'SECRET_VERSION_ADD'
    | 'SECRET_VERSION_ENABLE'
    | 'SECRET_VERSION_DISABLE'
    | 'SECRET_VERSION_DESTROY'
    | 'SECRET_VERSION_DESTROY_SCHEDULED';
  readonly secret: StoredSecret;
  readonly version?: number;
  readonly deleteType?: 'REQUESTED' | 'EXPIRATION';
}

/** A version and where it stands. */
export interface FoundVersion {
  readonly secret: StoredSecret;
  readonly version: StoredVersion;
  readonly number: number;
}

/** What Secret Manager does with secrets and versions, with production's errors. */
export class SecretEngine {
  readonly #store: SecretStore;
  readonly #now: () => number;
  readonly #tell: (event: SecretEvent) => void;

  /** @param tell is told of what becomes of secrets with topics */
  constructor(store: SecretStore, now: () => number, tell: (event: SecretEvent) => void = () => {}) {
    this.#store = store;
    this.#now = now;
    this.#tell = tell;
  }

  nowMs(): number {
    return this.#now();
  }

  /** Does what is due by now: rotations are announced, delayed destructions done, expired secrets deleted. */
  runDue(): void {
    const now = this.#now();
    for (const secret of this.#store.list()) {
      if ((nextDueMs(secret.lifecycle, secret.versions) ?? Number.POSITIVE_INFINITY) > now) continue;
      const { rotation, expiresAtMs } = secret.lifecycle;
      if (expiresAtMs !== undefined && expiresAtMs <= now) {
        this.#store.delete(secret.name);
        this.#tell({ type: 'SECRET_DELETE', secret, deleteType: 'EXPIRATION' });
        continue;
      }
      for (const [at, version] of secret.versions.entries()) {
        if ((version.scheduledDestroyTimeMs ?? Number.POSITIVE_INFINITY) > now) continue;
        this.#change({ secret: this.get(secret.name), version, number: at + 1 }, 'DESTROYED');
      }
      if (!rotation || rotation.nextAtMs > now) continue;
      const current = this.get(secret.name);
      const lifecycle = { ...current.lifecycle, rotation: rotationAfter(current.lifecycle, now) };
      const moved = { ...current, lifecycle, etag: this.#store.nextEtag() };
      this.#store.put(moved);
      this.#tell({ type: 'SECRET_ROTATE', secret: moved });
    }
  }

  /** When something is due next; undefined when nothing is. */
  nextDueMs(): number | undefined {
    const times = this.#store.list().flatMap(({ lifecycle, versions }) => nextDueMs(lifecycle, versions) ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  create(name: string, settings: SecretSettings): StoredSecret {
    if (!SECRET_NAME.test(name)) throw invalid(`Secret name [${name}] is not projects/PROJECT/secrets/NAME`);
    if (this.#store.get(name)) throw new RpcError(status.ALREADY_EXISTS, `Secret [${name}] already exists.`);
    const secret = { name, createTimeMs: this.#now(), ...settings, etag: this.#store.nextEtag(), versions: [] };
    checkAliases(secret);
    checkLifecycle(secret.lifecycle, noLifecycle, this.#now());
    this.#store.put(secret);
    this.#tell({ type: 'SECRET_CREATE', secret });
    return secret;
  }

  get(name: string): StoredSecret {
    const secret = this.#store.get(name);
    if (secret === undefined) throw new RpcError(status.NOT_FOUND, `Secret [${name}] not found.`);
    return secret;
  }

  /** By name. */
  list(project: string): StoredSecret[] {
    const ours = this.#store.list().filter(({ name }) => name.startsWith(`${project}/secrets/`));
    return ours.sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** @param etag checked when not empty */
  update(name: string, settings: Partial<SecretSettings>, etag: string): StoredSecret {
    const current = this.get(name);
    checkEtag(etag, current.etag);
    const updated = { ...current, ...settings, etag: this.#store.nextEtag() };
    checkAliases(updated);
    checkLifecycle(updated.lifecycle, current.lifecycle, this.#now());
    this.#store.put(updated);
    this.#tell({ type: 'SECRET_UPDATE', secret: updated });
    return updated;
  }

  delete(name: string, etag: string): void {
    const secret = this.get(name);
    checkEtag(etag, secret.etag);
    this.#store.delete(name);
    this.#tell({ type: 'SECRET_DELETE', secret, deleteType: 'REQUESTED' });
  }

  addVersion(name: string, data: Uint8Array, hasClientChecksum: boolean): FoundVersion {
    const secret = this.get(name);
    if (data.length === 0) throw invalid('Secret Payload cannot be empty.');
    if (data.length > MAX_PAYLOAD_BYTES) {
      throw invalid(`Secret Payload has ${data.length} bytes, which is more than the allowed ${MAX_PAYLOAD_BYTES}.`);
    }
    const version: StoredVersion = {
      createTimeMs: this.#now(),
      destroyTimeMs: null,
      state: 'ENABLED',
      etag: this.#store.nextEtag(),
      data: Buffer.from(data).toString('base64'),
      hasClientChecksum,
    };
    const updated = { ...secret, versions: [...secret.versions, version] };
    this.#store.put(updated);
    const number = updated.versions.length;
    this.#tell({ type: 'SECRET_VERSION_ADD', secret: updated, version: number });
    return { secret: updated, version, number };
  }

  /** @param name `projects/…/secrets/…/versions/` and a number, an alias, or `latest`: the newest one, whatever its state */
  version(name: string): FoundVersion {
    const [, secretName = '', wanted = ''] = /^(.+)\/versions\/([^/]+)$/.exec(name) ?? [];
    const secret = this.get(secretName);
    const number = resolveNumber(secret, wanted);
    const version = secret.versions[number - 1];
    if (version === undefined) throw new RpcError(status.NOT_FOUND, `Secret Version [${name}] not found.`);
    return { secret, version, number };
  }

  access(name: string): FoundVersion & { data: Buffer } {
    const found = this.version(name);
    if (found.version.state !== 'ENABLED' || found.version.data === null) throw wrongState(found);
    return { ...found, data: Buffer.from(found.version.data, 'base64') };
  }

  /** @param etag checked when not empty */
  setState(name: string, state: StoredVersion['state'], etag: string): FoundVersion {
    const found = this.version(name);
    checkEtag(etag, found.version.etag);
    if (found.version.state === 'DESTROYED') throw wrongState(found);
    const { destroyTtlMs } = found.secret.lifecycle;
    if (state === 'DESTROYED' && destroyTtlMs !== undefined) return this.#schedule(found, this.#now() + destroyTtlMs);
    const isScheduled = found.version.scheduledDestroyTimeMs !== undefined;
    if (found.version.state === state && !isScheduled) return found;
    return this.#change(found, state);
  }

  /** Delayed: it is disabled now, and enabling or disabling it brings it back. */
  #schedule(found: FoundVersion, atMs: number): FoundVersion {
    if (found.version.scheduledDestroyTimeMs !== undefined) return found;
    const scheduled = { state: 'DISABLED', scheduledDestroyTimeMs: atMs } as const;
    const version = { ...found.version, ...scheduled, etag: this.#store.nextEtag() };
    return this.#replace(found, version, 'SECRET_VERSION_DESTROY_SCHEDULED');
  }

  #change(found: FoundVersion, state: StoredVersion['state']): FoundVersion {
    const isDestroyed = state === 'DESTROYED';
    const version = {
      ...found.version,
      state,
      scheduledDestroyTimeMs: undefined,
      etag: this.#store.nextEtag(),
      ...(isDestroyed && { data: null, destroyTimeMs: this.#now() }),
    };
    return this.#replace(found, version, EVENT_OF_STATE[state]);
  }

  #replace({ secret: before, number }: FoundVersion, version: StoredVersion, type: SecretEvent['type']): FoundVersion {
    const secret = { ...before, versions: before.versions.with(number - 1, version) };
    this.#store.put(secret);
    this.#tell({ type, secret, version: number });
    return { secret, version, number };
  }
}

const EVENT_OF_STATE = {
  ENABLED: 'SECRET_VERSION_ENABLE',
  DISABLED: 'SECRET_VERSION_DISABLE',
  DESTROYED: 'SECRET_VERSION_DESTROY',
} as const;

export function invalid(message: string): RpcError {
  return new RpcError(status.INVALID_ARGUMENT, message);
}

function resolveNumber(secret: StoredSecret, wanted: string): number {
  if (wanted === 'latest') return secret.versions.length;
  if (/^[1-9]\d{0,9}$/.test(wanted)) return Number(wanted);
  return (Object.hasOwn(secret.versionAliases, wanted) && secret.versionAliases[wanted]) || 0;
}

function wrongState({ secret, number, version }: FoundVersion): RpcError {
  const message = `Secret Version [${secret.name}/versions/${number}] is in ${version.state} state.`;
  return new RpcError(status.FAILED_PRECONDITION, message);
}

function checkEtag(given: string, current: string): void {
  if (given !== '' && given !== current) {
    throw new RpcError(
      status.FAILED_PRECONDITION,
      `The etag provided in the request (${given}) does not match the resource's current etag (${current}). Please refresh the data and try again.`,
    );
  }
}

function checkAliases({ name, versionAliases, versions }: StoredSecret): void {
  const aliases = Object.entries(versionAliases);
  if (aliases.length > MAX_ALIASES)
    throw invalid(`Secret [${name}] has ${aliases.length} aliases, at most ${MAX_ALIASES} are allowed`);
  for (const [alias, number] of aliases) {
    if (!ALIAS.test(alias) || alias === 'latest') {
      throw invalid(
        `Version alias [${alias}] is not allowed: wanted a letter, then letters, digits, - and _, and not latest`,
      );
    }
    if (versions[number - 1] === undefined) {
      throw new RpcError(
        status.FAILED_PRECONDITION,
        `Version alias [${alias}] names version ${number}, which Secret [${name}] does not have.`,
      );
    }
  }
}
