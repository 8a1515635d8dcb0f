import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '@google-cloud/spanner';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import { readDeclaration } from '../../../shared/model/config/read-declaration.ts';
import type { RoledFunction } from '../../../shared/model/grants/control-uses.ts';
import { roleOf } from '../../../shared/model/grants/function-access.ts';
import { type LocalCloud, openLocalCloud } from '../../local/cloud.ts';
import {
  type FunctionOptions,
  type RunningFunction,
  runFunction,
  runWorker,
} from '../../local/functions/run-function.ts';
import { migrateAccess } from '../migrate-access.ts';
import { besideOf } from '../read-config.ts';
import { createTopic } from './create-topic.ts';
import { identities } from './identities.ts';
import { openLocalDatabase } from './open-local-database.ts';
import { makeRotatingSecrets, withScram } from './rotating-secrets.ts';
import { type RunningTrainer, runTrainer } from './run-trainer.ts';
import { subscribe } from './subscribe.ts';

/** Pub/Sub topic that plan-epoch publishes shard jobs to. */
const SHARD_TOPIC = 'penstock-shards';
/** How often rotations are seen to. */
const ROTATION_TICK = 'every 60s';
const PARTITIONS = 4;
/** A record this large still gets through to the sink, which sets it aside. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Everything that runs when Penstock runs on a laptop: the cloud, the trainer, and each function as a built bundle. */
export interface Stack {
  readonly cloud: LocalCloud;
  readonly declaration: Declaration;
  /** File that PENSTOCK_DECLARATION names. */
  readonly declarationPath: string;
  readonly database: Database;
  readonly trainer: RunningTrainer;
  readonly dashboardUrl: string;
  /** Present with `rotating`. */
  readonly rotateSecrets: Door | undefined;
  /** The declaration as it runs here, for commands. */
  readonly configPath: string;
  /** Environment of each process, to start more of them. */
  readonly environments: Readonly<Record<FunctionName, Readonly<Record<string, string>>>>;
  /** Starts one more worker of kafka-sink. */
  startSink(options?: Partial<FunctionOptions>): RunningFunction;
  /** Ends every process and server, functions first. */
  close(): Promise<void>;
}

type FunctionName = RoledFunction;

/** How a stack is put together. */
export interface StackOptions {
  /** Keeps everything over restarts; a temporary folder, removed at close, when left out. */
  readonly dir?: string;
  /** Text of a penstock.yaml. */
  readonly declaration: string;
  /** The folder that its policies and schemas lie in; without it, there are none. */
  readonly beside?: string;
  /** Data tables, as CREATE statements. */
  readonly tables: string;
  /** The secret by which sinks log in, and which rotates; without it, brokers ask nobody who they are. */
  readonly rotating?: string;
  /** Bundles; `dist` of the project unless given. */
  readonly dist?: string;
  readonly port?: number;
  /** Secret Manager's time, whose rotations lie minutes ahead; the machine's unless given. */
  readonly secretManagerNow?: () => number;
  readonly onLine?: (name: string, line: string) => void;
}

/**
 * Starts the laptop's cloud with everything of a declaration on it: tables, topics, subscriptions, jobs, functions.
 *
 * Kafka sinks are not started: call `startSink`.
 */
export async function openStack(options: StackOptions): Promise<Stack> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'penstock-'));
  mkdirSync(dir, { recursive: true });
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
  };
  try {
    const cloud = await openLocalCloud({
      dir: join(dir, 'cloud'),
      secretManagerNow: options.secretManagerNow ?? Date.now,
    });
    closers.push(() => cloud.close());
    const trainer = await runTrainer({
      dir: join(dir, 'trainer'),
      env: cloud.env,
      callers: [identities.readShard, identities.dashboard, identities.laptop],
    });
    closers.push(() => trainer.stop());
    const { rotating, beside } = options;
    const text = rotating === undefined ? options.declaration : withScram(options.declaration, rotating, beside);
    const configPath = join(dir, 'penstock.yaml');
    writeFileSync(configPath, text);
    const { declaration } = readDeclaration({
      file: 'penstock.yaml',
      text,
      env: { ...cloud.env, TRAINER_URL: trainer.url },
      sections: ['spanner', 'kafka', 'registry', 'pipelines', 'feeds', 'secrets'],
      ...(options.beside === undefined ? {} : besideOf(options.beside)),
    });
    const declarationPath = join(dir, 'declaration.json');
    writeFileSync(declarationPath, JSON.stringify(declaration));
    const database = await openLocalDatabase(cloud, declaration.spanner.database, options.tables);
    closers.push(() => database.close().then(() => undefined));
    // From here on each function may do what this declaration needs of it, as in production.
    await migrateAccess(declaration);
    if (rotating !== undefined) await makeRotatingSecrets(cloud, declaration);
    const environments = await functionEnvironments(cloud, declarationPath);
    const functions: RunningFunction[] = [];
    closers.push(async () => {
      await Promise.all(functions.map((running) => running.stop()));
    });
    const start = async (name: FunctionName, port?: number): Promise<RunningFunction> => {
      const chosen = port === undefined ? {} : { port };
      const running = await runFunction({ ...functionOptions(options, name, environments[name]), ...chosen });
      functions.push(running);
      return running;
    };
    const [pubsubSink, planEpoch, readShard, dashboard, rotateSecrets] = await all([
      start('pubsub-sink'),
      start('plan-epoch'),
      start('read-shard'),
      start('dashboard', options.port),
      rotating === undefined ? Promise.resolve(undefined) : start('rotate-secrets'),
    ]);
    await connect(cloud, declaration, { pubsubSink, planEpoch, readShard, rotateSecrets });
    return {
      cloud,
      declaration,
      declarationPath,
      database,
      trainer,
      dashboardUrl: dashboard.url,
      rotateSecrets,
      configPath,
      environments,
      startSink(overrides = {}) {
        const sink = runWorker({ ...functionOptions(options, 'kafka-sink', environments['kafka-sink']), ...overrides });
        functions.push(sink);
        return sink;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** As Promise.all, but none is still under way when it fails: what was started is known, and can be ended. */
async function all<T extends readonly Promise<unknown>[]>(
  promises: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

function functionOptions(
  options: StackOptions,
  name: FunctionName,
  env: Readonly<Record<string, string>>,
): FunctionOptions {
  const { dist, onLine } = options;
  return {
    name,
    env,
    ...(dist === undefined ? {} : { dist }),
    ...(onLine === undefined ? {} : { onLine: (line: string) => onLine(name, line) }),
  };
}

async function functionEnvironments(cloud: LocalCloud, declarationPath: string): Promise<Stack['environments']> {
  const environment = async (
    name: RoledFunction,
    identity: string,
    callers: readonly string[],
  ): Promise<Record<string, string>> => ({
    ...cloud.env,
    PENSTOCK_DATABASE_ROLE: roleOf(name),
    PENSTOCK_DECLARATION: declarationPath,
    PENSTOCK_CALLERS: callers.join(','),
    GCE_METADATA_HOST: (await cloud.identity.openMetadataServer(identity)).host,
    SPANNER_DISABLE_BUILTIN_METRICS: 'true',
    PENSTOCK_SHARD_TOPIC: SHARD_TOPIC,
    NODE_COMPILE_CACHE: join(declarationPath, '../compile-cache'),
  });
  return {
    'kafka-sink': await environment('kafka-sink', identities.kafkaSink, [identities.scheduler]),
    'pubsub-sink': await environment('pubsub-sink', identities.pubsubSink, [identities.push]),
    'plan-epoch': await environment('plan-epoch', identities.planEpoch, [identities.scheduler]),
    'read-shard': await environment('read-shard', identities.readShard, [identities.push]),
    'rotate-secrets': await environment('rotate-secrets', identities.rotateSecrets, [
      identities.scheduler,
      identities.push,
    ]),
    dashboard: { ...(await environment('dashboard', identities.dashboard, [])), PENSTOCK_DASHBOARD_ACCESS: 'open' },
  };
}

/** Where a function listens, and what tokens for it must name. */
type Door = Pick<RunningFunction, 'url' | 'audience'>;

async function connect(
  cloud: LocalCloud,
  declaration: Declaration,
  urls: {
    readonly pubsubSink: Door;
    readonly planEpoch: Door;
    readonly readShard: Door;
    readonly rotateSecrets: Door | undefined;
  },
): Promise<void> {
  for (const { source } of Object.values(declaration.pipelines)) {
    if (source.kind === 'kafka') {
      for (const name of source.topics) {
        const topic = { name, partitions: PARTITIONS, maxMessageBytes: MAX_MESSAGE_BYTES };
        await createTopic([cloud.env.KAFKA_BROKERS ?? ''], topic);
      }
    } else {
      await subscribe({
        topic: source.subscription,
        subscription: source.subscription,
        push: urls.pubsubSink,
        caller: identities.push,
      });
    }
  }
  await subscribe({ topic: SHARD_TOPIC, subscription: SHARD_TOPIC, push: urls.readShard, caller: identities.push });
  if (urls.rotateSecrets) {
    await cloud.scheduler.create({
      name: 'rotate-secrets',
      schedule: ROTATION_TICK,
      http: { url: urls.rotateSecrets.url, method: 'POST' },
      oidc: { serviceAccount: identities.scheduler, audience: urls.rotateSecrets.audience },
    });
  }
  for (const { name, schedule } of Object.values(declaration.feeds)) {
    if (schedule === undefined) continue;
    await cloud.scheduler.create({
      name: `plan-${name}`,
      schedule: `every ${schedule.everyMs / 1000}s`,
      http: {
        url: urls.planEpoch.url,
        method: 'POST',
        body: JSON.stringify({ feed: name }),
        headers: { 'content-type': 'application/json' },
      },
      oidc: { serviceAccount: identities.scheduler, audience: urls.planEpoch.audience },
    });
  }
}
