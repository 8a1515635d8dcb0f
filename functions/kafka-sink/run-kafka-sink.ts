import { hostname } from 'node:os';
import type { KafkaDriver } from '../../shared/adapters/kafka/driver.ts';
import { openKafkaDriver } from '../../shared/adapters/kafka/open-driver.ts';
import type { SchemaRegistry } from '../../shared/adapters/registry/schema-registry.ts';
import { openSpannerChannel } from '../../shared/adapters/spanner/channel.ts';
import { type EventStore, openEventStore } from '../../shared/adapters/spanner/ingest/event-store.ts';
import type { Telemetry } from '../../shared/adapters/telemetry/telemetry.ts';
import { auditAttempts } from '../../shared/base/audit.ts';
import { ConfigError, type ConfigProblem } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import { openCredentialSources } from '../../shared/connect/credential-sources.ts';
import { openDeclaredRegistry } from '../../shared/connect/declared-registry.ts';
import { kafkaAccess } from '../../shared/connect/kafka-access.ts';
import { openSecretReports } from '../../shared/connect/report-secret-uses.ts';
import type { Declaration, KafkaSource, Pipeline } from '../../shared/model/config/declaration.ts';
import type { SchemaBook } from '../../shared/model/formats/schema-book.ts';
import { TableChangedError } from './commit-records.ts';
import { consumePipeline } from './consume-pipeline.ts';
import { limitPoison } from './limit-poison.ts';
import type { SinkProgress } from './own-partitions.ts';
import { preparePipeline } from './prepare-pipeline.ts';
import { pause } from './retry-delays.ts';
import { watchDriver } from './watch-driver.ts';
import { watchLag } from './watch-lag.ts';
import { watchStore } from './watch-store.ts';

export type { SinkProgress } from './own-partitions.ts';

export interface KafkaSinkOptions {
  readonly declaration: Declaration;
  /** Names of Kafka pipelines; all of them when empty. */
  readonly pipelines: readonly string[];
  /** Ends when everything that the topics held at the start is in Spanner. */
  readonly untilCaughtUp: boolean;
  /** Ends the sink: the batch in hand commits or is left whole. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Called after every commit. */
  readonly onProgress?: (progress: SinkProgress) => void;
  /** Who writes, for lineage: a service account's e-mail. */
  readonly identity: string;
  /** After how long without a sign of life a worker loses its partitions, in milliseconds; 30,000 unless given. */
  readonly sessionTimeoutMs?: number;
  /** How long Spanner is waited for before a call counts as failed and is repeated, in milliseconds. */
  readonly storeDeadlineMs?: number;
  /** How often the tables are looked at for changes, in milliseconds; a minute unless given. */
  readonly tableCheckMs?: number;
  /** How often topics are looked at for new partitions and new names, in milliseconds; 10 seconds unless given. */
  readonly lookEveryMs?: number;
  /** Receives figures and traces; undefined where nobody wants them. */
  readonly telemetry?: Telemetry | undefined;
}

const SESSION_TIMEOUT_MS = 30_000;
/** Where one pipeline does not fit its table, the others have so long to be compared with theirs. */
const CHECKED_WITHIN_MS = 5_000;

type KafkaPipeline = Pipeline & { readonly source: KafkaSource };

/**
 * Moves the records of the declaration's Kafka pipelines into Spanner, exactly once, until it is told to end.
 *
 * @throws {ConfigError} for pipelines that do not exist or do not fit their tables
 * @throws {PenstockError} for what repeating does not mend: a recreated topic, lost offsets, `onPoison: stop`, too much poison
 */
export async function runKafkaSink(options: KafkaSinkOptions): Promise<void> {
  const { declaration, log, identity } = options;
  const pipelines = kafkaPipelines(declaration, options.pipelines);
  const { kafka, spanner, registry } = declaration;
  if (!kafka) throw new ConfigError([problem('kafka.brokers', 'is not declared', 'Name the brokers of the pipelines')]);
  const owner = `${hostname()}/${process.pid}`;
  const audited = (action: string) => auditAttempts(log, action, identity);
  const channel = openSpannerChannel(spanner.database, process.env, {
    onAttempt: audited('spanner.connect'),
  });
  const store = openEventStore(channel, {
    identity,
    owner,
    signal: options.signal,
    ...(options.storeDeadlineMs === undefined ? {} : { deadlineMs: options.storeDeadlineMs }),
  });
  const reports = openSecretReports({ owner, rotating: new Set(Object.keys(declaration.secrets)), log });
  const { onVersion } = reports;
  const onAttempt = audited('secret.read');
  const sources = openCredentialSources({ database: spanner.database, log, onAttempt, onVersion });
  reports.start(sources.secrets, channel);
  let driver: KafkaDriver | undefined;
  let schemas: SchemaRegistry | undefined;
  try {
    schemas = registry && (await openDeclaredRegistry(registry, sources, audited('registry.read')));
    const access = { ...(await kafkaAccess(kafka, sources)), onAttempt: audited('kafka.connect') };
    const looking = options.lookEveryMs === undefined ? {} : { lookEveryMs: options.lookEveryMs };
    const client = { clientId: 'penstock-kafka-sink', log, ...looking };
    const opened = await openKafkaDriver({ driver: kafka.driver, access, ...client });
    driver = opened;
    const ending = new AbortController();
    const signal = AbortSignal.any([options.signal, ending.signal]);
    const { telemetry } = options;
    const lag = telemetry && watchLag(telemetry.meter);
    const watched = watchStore(store, { identity, log, telemetry, lag });
    await runTogether(ending, pipelines, (pipeline, onChecked) => {
      const ofPipeline = telemetry && lag ? watchDriver(opened, pipeline.name, telemetry.meter, lag) : opened;
      const context = { ...options, signal, schemas, onChecked };
      return runPipeline(context, pipeline, ofPipeline, limitPoison(watched, pipeline));
    });
  } finally {
    await driver?.close().catch(() => {});
    schemas?.close();
    await reports.stop();
    await sources.close();
    await store.close();
  }
}

/**
 * Runs pipelines side by side. The first one that fails ends the others, and all of them are waited for; where it does not fit its
 * table, the others are compared with theirs before, so that whoever corrects it hears of everything at once.
 */
async function runTogether(
  ending: AbortController,
  pipelines: readonly KafkaPipeline[],
  run: (pipeline: KafkaPipeline, onChecked: () => void) => Promise<void>,
): Promise<void> {
  const checks: Promise<void>[] = [];
  const all = pipelines.map(async (pipeline) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    checks.push(promise);
    try {
      await run(pipeline, resolve);
    } finally {
      resolve();
    }
  });
  try {
    await Promise.all(all);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    await Promise.race([Promise.all(checks), pause(CHECKED_WITHIN_MS, ending.signal)]);
    ending.abort();
    throw new ConfigError(problemsOf(await Promise.allSettled(all)));
  } finally {
    ending.abort();
    await Promise.allSettled(all);
  }
}

function problemsOf(outcomes: readonly PromiseSettledResult<void>[]): readonly ConfigProblem[] {
  return outcomes.flatMap((outcome) => {
    const reason: unknown = outcome.status === 'rejected' ? outcome.reason : undefined;
    return reason instanceof ConfigError ? reason.problems : [];
  });
}

async function runPipeline(
  options: KafkaSinkOptions & { readonly schemas: SchemaBook | undefined; readonly onChecked: () => void },
  pipeline: KafkaPipeline,
  driver: KafkaDriver,
  store: EventStore,
): Promise<void> {
  const { signal, log, schemas, untilCaughtUp, sessionTimeoutMs = SESSION_TIMEOUT_MS } = options;
  const onProgress = options.onProgress ?? (() => {});
  const { source } = pipeline;
  for (;;) {
    const compiled = await preparePipeline(store, pipeline, { signal, log, schemas });
    options.onChecked();
    if (!compiled) return;
    try {
      const { tableCheckMs } = options;
      const times = { sessionTimeoutMs, tableCheckMs };
      const context = { driver, store, compiled, source, untilCaughtUp, ...times, signal, log, onProgress };
      return await consumePipeline(context);
    } catch (error) {
      if (!(error instanceof TableChangedError)) throw error;
      log('WARNING', error.message);
    }
  }
}

/**
 * The Kafka pipelines of these names; all of them when none is named.
 *
 * @throws {ConfigError} for names of none, and where there are none
 */
export function kafkaPipelines(declaration: Declaration, names: readonly string[]): readonly KafkaPipeline[] {
  const pipelines = Object.values(declaration.pipelines).filter(isKafka);
  const missing = names.filter((name) => !pipelines.some((pipeline) => pipeline.name === name));
  const known = pipelines.map(({ name }) => name).join(', ') || 'none';
  if (missing.length > 0) {
    throw new ConfigError(
      missing.map((name) => problem(`pipelines.${name}`, 'is no Kafka pipeline', `Name one of: ${known}`)),
    );
  }
  if (pipelines.length === 0) {
    throw new ConfigError([problem('pipelines', 'has no Kafka pipeline', 'Declare one with source: { kafka: … }')]);
  }
  return names.length === 0 ? pipelines : pipelines.filter(({ name }) => names.includes(name));
}

function isKafka(pipeline: Pipeline): pipeline is KafkaPipeline {
  return pipeline.source.kind === 'kafka';
}

function problem(path: string, message: string, remedy: string) {
  return { path, message, remedy };
}
