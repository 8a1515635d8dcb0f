import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Lifecycle, noLifecycle } from './lifecycle.ts';

/** One version of a secret; its number is its place in the list, from 1. */
export interface StoredVersion {
  readonly createTimeMs: number;
  readonly destroyTimeMs: number | null;
  readonly state: 'ENABLED' | 'DISABLED' | 'DESTROYED';
  /** Disabled until then, and destroyed then. */
  readonly scheduledDestroyTimeMs?: number | undefined;
  readonly etag: string;
  /** Base64; null once destroyed. */
  readonly data: string | null;
  readonly hasClientChecksum: boolean;
}

export interface StoredSecret {
  /** `projects/PROJECT/secrets/NAME` */
  readonly name: string;
  readonly createTimeMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly versionAliases: Readonly<Record<string, number>>;
  readonly etag: string;
  readonly lifecycle: Lifecycle;
  readonly versions: readonly StoredVersion[];
}

/** As a file of an earlier version has it. */
type KeptSecret = Omit<StoredSecret, 'lifecycle'> & { readonly lifecycle?: Lifecycle };

interface State {
  etagCount: number;
  secrets: KeptSecret[];
}

/** Secrets by name. Every change replaces the file before it is answered. */
export interface SecretStore {
  get(name: string): StoredSecret | undefined;
  list(): StoredSecret[];
  put(secret: StoredSecret): void;
  delete(name: string): void;
  /** An etag that was never given out before. */
  nextEtag(): string;
}

/** @param dir where `secrets.json` lives, readable by its owner only; undefined keeps secrets in memory */
export function openSecretStore(dir: string | undefined): SecretStore {
  const path = dir === undefined ? undefined : join(dir, 'secrets.json');
  const state = path === undefined ? { etagCount: 0, secrets: [] } : readState(path);
  const secrets = new Map<string, StoredSecret>(
    state.secrets.map((secret) => [secret.name, { ...secret, lifecycle: secret.lifecycle ?? noLifecycle }]),
  );
  let etagCount = state.etagCount;
  const save = (): void => {
    if (path === undefined) return;
    writeFileSync(`${path}.next`, JSON.stringify({ etagCount, secrets: [...secrets.values()] }), { mode: 0o600 });
    renameSync(`${path}.next`, path);
  };
  if (dir !== undefined) mkdirSync(dir, { recursive: true });
  return {
    get: (name) => secrets.get(name),
    list: () => [...secrets.values()],
    put(secret) {
      secrets.set(secret.name, secret);
      save();
    },
    delete(name) {
      secrets.delete(name);
      save();
    },
    nextEtag() {
      etagCount += 1;
      return `"${etagCount.toString(16).padStart(14, '0')}"`;
    },
  };
}

function readState(path: string): State {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { etagCount: 0, secrets: [] };
    throw new Error(`Cannot read the secrets in ${path}: delete the file to start without any`, { cause: error });
  }
}
