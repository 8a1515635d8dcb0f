import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type IdentityServer, openIdentityServer } from '../../deploy/local/identity/server.ts';
import { type KafkaServer, openKafkaServer } from '../../deploy/local/kafka/server.ts';
import { localProject } from '../../deploy/local/project.ts';
import { openPubSubServer } from '../../deploy/local/pubsub/server.ts';
import { openSecretManagerServer } from '../../deploy/local/secret-manager/server.ts';
import { openSpannerServer } from '../../deploy/local/spanner/server.ts';
import type { Random } from './random.ts';
import { openSpannerDoor, type SpannerDoor } from './spanner-door.ts';

const REOPEN_TIMEOUT_MS = 10_000;
const REOPEN_EVERY_MS = 50;
/** So short that every connection proves anew who it is many times in a run. */
const SASL_SESSION_MS = 4_000;

/** Brokers that can be restarted. */
export interface ChaosKafka {
  readonly brokers: readonly string[];
  /** Where the same brokers let in by SCRAM-SHA-512 alone, for sessions of a moment; undefined where they do not. */
  readonly saslBrokers?: readonly string[];
  /** Ends them, and starts them again with what they held after so long. */
  restart(outageMs: number): Promise<void>;
  close(): Promise<void>;
}

/** Spanner that aborts commits and can be restarted. */
export interface ChaosSpanner {
  /** For clients that nobody attacks. */
  readonly address: string;
  setAbortRate(rate: number, seed: number): void;
  restart(outageMs: number): Promise<void>;
}

/** The servers of a chaos run, in this process; state lies in a folder of their own. */
export interface ChaosCloud {
  /** What sinks read: their way to Spanner is the door. */
  readonly env: Readonly<Record<string, string>>;
  readonly identity: IdentityServer;
  readonly kafka: ChaosKafka;
  readonly spanner: ChaosSpanner;
  readonly door: SpannerDoor;
  close(): Promise<void>;
}

/** Starts them. @param options.kafka brokers to use instead of the laptop's; the cloud closes them */
export async function openChaosCloud(options: {
  readonly random: Random;
  readonly kafka?: ChaosKafka | undefined;
}): Promise<ChaosCloud> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-chaos-cloud-'));
  const identity = await openIdentityServer({});
  const pubsub = await openPubSubServer({ mintIdToken: identity.mintIdToken });
  const { spanner, close: closeSpanner } = await openSpanner(join(dir, 'spanner'));
  const kafka = options.kafka ?? (await openKafka(join(dir, 'kafka')));
  const secretManager = await openSecretManagerServer();
  const door = await openSpannerDoor(spanner.address, options.random);
  return {
    env: {
      SPANNER_EMULATOR_HOST: door.address,
      PUBSUB_EMULATOR_HOST: pubsub.address,
      KAFKA_BROKERS: kafka.brokers.join(','),
      SECRET_MANAGER_EMULATOR_HOST: secretManager.address,
      PENSTOCK_OIDC_ISSUER: identity.issuer,
      GOOGLE_CLOUD_PROJECT: localProject,
    },
    identity,
    kafka,
    spanner,
    door,
    async close() {
      await door.close();
      await kafka.close();
      await secretManager.close();
      await closeSpanner();
      await pubsub.close();
      await identity.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function openKafka(dir: string): Promise<ChaosKafka> {
  const sasl = { mechanisms: ['SCRAM-SHA-512'], sessionLifetimeMs: SASL_SESSION_MS } as const;
  const listeners = { SASL_PLAINTEXT: { sasl } };
  let server: KafkaServer = await openKafkaServer({ dir, listeners });
  const { address, addresses } = server;
  return {
    brokers: [address],
    saslBrokers: [addresses.SASL_PLAINTEXT ?? ''],
    async restart(outageMs) {
      await server.close();
      await delay(outageMs);
      server = await reopened(() => openKafkaServer({ dir, port: portOf(address), listeners }));
    },
    close: () => server.close(),
  };
}

async function openSpanner(dir: string): Promise<{ spanner: ChaosSpanner; close(): Promise<void> }> {
  let server = await openSpannerServer({ dir });
  const { address } = server;
  let aborts: readonly [number, number] = [0, 0];
  const spanner: ChaosSpanner = {
    address,
    setAbortRate(...wanted) {
      aborts = wanted;
      server.setAbortRate(...wanted);
    },
    async restart(outageMs) {
      await server.close();
      await delay(outageMs);
      server = await reopened(() => openSpannerServer({ dir, port: portOf(address) }));
      server.setAbortRate(...aborts);
    },
  };
  return { spanner, close: () => server.close() };
}

/** The port may be held for a moment by connections that end. */
async function reopened<S>(open: () => Promise<S>): Promise<S> {
  const deadline = performance.now() + REOPEN_TIMEOUT_MS;
  for (;;) {
    try {
      return await open();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(REOPEN_EVERY_MS);
    }
  }
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
