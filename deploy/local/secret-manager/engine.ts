import { status } from '@grpc/grpc-js';
import { RpcError } from '../grpc.ts';
import type { SecretStore, StoredSecret, StoredVersion } from './store.ts';

const MAX_PAYLOAD_BYTES = 64 * 1024;
const MAX_ALIASES = 50;
const SECRET_NAME = /^projects\/[^/]+\/secrets\/[\w-]{1,255}$/;
const ALIAS = /^[A-Za-z][\w-]{0,62}$/;

/** What can be set on a secret. */
export type SecretSettings = Pick<StoredSecret, 'labels' | 'annotations' | 'versionAliases'>;

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

  constructor(store: SecretStore, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  create(name: string, settings: SecretSettings): StoredSecret {
    if (!SECRET_NAME.test(name)) throw invalid(`Secret name [${name}] is not projects/PROJECT/secrets/NAME`);
    if (this.#store.get(name)) throw new RpcError(status.ALREADY_EXISTS, `Secret [${name}] already exists.`);
    const secret = { name, createTimeMs: this.#now(), ...settings, etag: this.#store.nextEtag(), versions: [] };
    checkAliases(secret);
    this.#store.put(secret);
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
    this.#store.put(updated);
    return updated;
  }

  delete(name: string, etag: string): void {
    checkEtag(etag, this.get(name).etag);
    this.#store.delete(name);
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
    return { secret: updated, version, number: updated.versions.length };
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
    if (found.version.state === state) return found;
    const isDestroyed = state === 'DESTROYED';
    const version = {
      ...found.version,
      state,
      etag: this.#store.nextEtag(),
      ...(isDestroyed && { data: null, destroyTimeMs: this.#now() }),
    };
    const secret = { ...found.secret, versions: found.secret.versions.with(found.number - 1, version) };
    this.#store.put(secret);
    return { secret, version, number: found.number };
  }
}

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
