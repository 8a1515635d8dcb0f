import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { openLocalDatabase } from '../../../deploy/cli/stack/open-local-database.ts';
import { localProject } from '../../../deploy/local/project.ts';
import { openSecretManagerServer } from '../../../deploy/local/secret-manager/server.ts';
import { openSpannerServer } from '../../../deploy/local/spanner/server.ts';
import { addSecret, openSecretClient } from '../local/secret-manager/secret-client.ts';

const launch = resolve(import.meta.dirname, '../../../deploy/cli/launch.js');
const parent = `projects/${localProject}`;

/** As declarations name it. */
export const stageDatabase = `${parent}/instances/main/databases/rotation`;

/** A database with control tables, a Secret Manager, and the command that finds both. */
export interface SecretsStage {
  /** Of its own; gone when the stage is. */
  readonly dir: string;
  declare(yaml: string): void;
  /** Makes a secret with one version, which is current. */
  addSecret(name: string, value: string): Promise<void>;
  /** The version that an alias names. */
  alias(secret: string, name: string): Promise<number>;
  /** Runs it with `--config`. */
  penstock(
    who: string,
    ...args: string[]
  ): Promise<{ readonly status: number; readonly out: string; readonly error: string }>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Opens it. */
export async function openSecretsStage(): Promise<SecretsStage> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-secrets-'));
  const config = join(dir, 'penstock.yaml');
  const spanner = await openSpannerServer();
  const manager = await openSecretManagerServer();
  const env = {
    ...process.env,
    SPANNER_EMULATOR_HOST: spanner.address,
    SECRET_MANAGER_EMULATOR_HOST: manager.address,
    METADATA_SERVER_DETECTION: 'none',
  };
  const opened = await openLocalDatabase({ env }, stageDatabase, '');
  const client = openSecretClient(manager.address);
  return {
    dir,
    declare: (yaml) => writeFileSync(config, yaml),
    addSecret: (name, value) => addSecret(client, name, value),
    async alias(secret, name) {
      const [{ versionAliases }] = await client.getSecret({ name: `${parent}/secrets/${secret}` });
      return Number(versionAliases?.[name]);
    },
    async penstock(who, ...args) {
      const child = spawn(process.execPath, [launch, ...args, '--config', config], {
        env: { ...env, PENSTOCK_IDENTITY: `${who}@example.com` },
      });
      const [out, error, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
      return { status: Number(status), out, error };
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await opened.close();
      await manager.close();
      await spanner.close();
      rmSync(dir, { recursive: true });
    },
  };
}
