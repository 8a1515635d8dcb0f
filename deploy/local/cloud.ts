import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DirectoryLock, lockDirectory } from './directory-lock.ts';
import { type IdentityServer, openIdentityServer } from './identity/server.ts';
import { openKafkaServer } from './kafka/server.ts';
import { localProject } from './project.ts';
import { openPubSubServer } from './pubsub/server.ts';
import { openScheduler } from './scheduler/server.ts';
import { openSchemaRegistryServer } from './schema-registry/server.ts';
import { openSecretManagerServer, type Publish } from './secret-manager/server.ts';
import { openSpannerServer } from './spanner/server.ts';
import { openStorageServer } from './storage/server.ts';

type Spanner = Awaited<ReturnType<typeof openSpannerServer>>;
type Scheduler = Awaited<ReturnType<typeof openScheduler>>;

/** The laptop's cloud: every server that Penstock needs, in this process. */
export interface LocalCloud {
  /** What the official clients and Penstock's functions read to find it. */
  readonly env: Readonly<Record<string, string>>;
  readonly identity: IdentityServer;
  readonly spanner: Spanner;
  readonly scheduler: Scheduler;
  close(): Promise<void>;
}

/** Whoever logs in by SCRAM proves anew who it is: rotations are followed while somebody watches. */
const SASL_SESSION_MS = 5_000;

interface Ports {
  readonly spanner: number;
  readonly pubsub: number;
  readonly kafka: number;
  readonly schemaRegistry: number;
  readonly secretManager: number;
  readonly identity: number;
  readonly storage: number;
}

const FREE_PORTS: Ports = {
  spanner: 0,
  pubsub: 0,
  kafka: 0,
  schemaRegistry: 0,
  secretManager: 0,
  identity: 0,
  storage: 0,
};

/**
 * Starts the laptop's cloud on free ports of 127.0.0.1.
 *
 * @param options.dir keeps state over restarts, and the ports where they are still free; in memory when left out
 * @param options.secretManagerNow Secret Manager's time, whose rotations lie minutes ahead; the machine's when left out
 * @throws {Error} when another process uses the directory
 */
export async function openLocalCloud(
  options: { readonly dir?: string; readonly secretManagerNow?: () => number } = {},
): Promise<LocalCloud> {
  const { dir } = options;
  const lock: DirectoryLock | undefined = dir === undefined ? undefined : lockDirectory(dir);
  const opened: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    for (const server of opened.reverse()) await server.close();
    lock?.release();
  };
  const keep = <S extends { close(): Promise<void> }>(server: S): S => {
    opened.push(server);
    return server;
  };
  const at = (name: string): { dir?: string } => (dir === undefined ? {} : { dir: join(dir, name) });
  try {
    const ports = dir === undefined ? FREE_PORTS : readPorts(dir);
    const identity = keep(await onPort(ports.identity, (port) => openIdentityServer({ port, ...at('identity') })));
    const mintIdToken = identity.mintIdToken;
    const spanner = keep(await onPort(ports.spanner, (port) => openSpannerServer({ port, ...at('spanner') })));
    const sasl = { mechanisms: ['SCRAM-SHA-256', 'SCRAM-SHA-512'], sessionLifetimeMs: SASL_SESSION_MS } as const;
    const listeners = { SASL_PLAINTEXT: { sasl } };
    const kafka = keep(await onPort(ports.kafka, (port) => openKafkaServer({ port, listeners, ...at('kafka') })));
    const pubsub = keep(await onPort(ports.pubsub, (port) => openPubSubServer({ port, mintIdToken, ...at('pubsub') })));
    const schemaRegistry = keep(
      await onPort(ports.schemaRegistry, (port) => openSchemaRegistryServer({ port, ...at('schema-registry') })),
    );
    const publish: Publish = (topic, message) => {
      try {
        pubsub.publish(topic, message);
      } catch {
        // Production tries for days; here a topic that is not there hears nothing.
      }
    };
    const { secretManagerNow: now = Date.now } = options;
    const secretManager = keep(
      await onPort(ports.secretManager, (port) =>
        openSecretManagerServer({ port, publish, now, ...at('secret-manager') }),
      ),
    );
    const storage = keep(await onPort(ports.storage, (port) => openStorageServer({ port, ...at('storage') })));
    const scheduler = keep(await openScheduler({ mintIdToken, ...at('scheduler') }));
    if (dir !== undefined) {
      writePorts(dir, {
        spanner: portOf(spanner.address),
        pubsub: portOf(pubsub.address),
        kafka: portOf(kafka.address),
        schemaRegistry: portOf(schemaRegistry.address),
        secretManager: portOf(secretManager.address),
        identity: portOf(identity.address),
        storage: portOf(storage.url),
      });
    }
    const env = {
      SPANNER_EMULATOR_HOST: spanner.address,
      PUBSUB_EMULATOR_HOST: pubsub.address,
      KAFKA_BROKERS: kafka.address,
      KAFKA_SASL_BROKERS: kafka.addresses.SASL_PLAINTEXT ?? '',
      SCHEMA_REGISTRY_URL: schemaRegistry.url,
      SECRET_MANAGER_EMULATOR_HOST: secretManager.address,
      STORAGE_EMULATOR_HOST: storage.url,
      PENSTOCK_OIDC_ISSUER: identity.issuer,
      PENSTOCK_IAM_URL: identity.issuer,
      GOOGLE_CLOUD_PROJECT: localProject,
    };
    return { env, identity, spanner, scheduler, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Tries the port of the last run, then any free one. */
async function onPort<S>(port: number, open: (port: number) => Promise<S>): Promise<S> {
  if (port === 0) return open(0);
  try {
    return await open(port);
  } catch {
    return open(0);
  }
}

function readPorts(dir: string): Ports {
  const path = join(dir, 'ports.json');
  if (!existsSync(path)) return FREE_PORTS;
  const kept: Partial<Ports> = JSON.parse(readFileSync(path, 'utf8'));
  return { ...FREE_PORTS, ...kept };
}

function writePorts(dir: string, ports: Ports): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'ports.json'), `${JSON.stringify(ports)}\n`);
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
