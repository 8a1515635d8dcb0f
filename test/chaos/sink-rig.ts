import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '@google-cloud/spanner';
import kafkajs from 'kafkajs';
import { createTopic } from '../../deploy/cli/stack/create-topic.ts';
import { identities } from '../../deploy/cli/stack/identities.ts';
import { openLocalDatabase } from '../../deploy/cli/stack/open-local-database.ts';
import { subscribe } from '../../deploy/cli/stack/subscribe.ts';
import { type RunningFunction, runFunction, runWorker } from '../../deploy/local/functions/run-function.ts';
import { kafkajsClient } from '../../shared/adapters/kafka/kafkajs-client.ts';
import { readDeclaration } from '../../shared/model/config/read-declaration.ts';
import { type ChaosCloud, type ChaosKafka, openChaosCloud } from './chaos-cloud.ts';
import type { TopicPipeline } from './history.ts';
import type { Random } from './random.ts';
import { scramSettings } from './rotated-secret.ts';
import type { Entrance } from './spanner-door.ts';
import { waitUntil } from './wait-until.ts';

const { ConfigResourceTypes } = kafkajs;

/** Where records and messages come from. */
export const chaosTopic = 'chaos';
export const pushSubscription = 'chaos-pushed';
/** What the tokens of its pushes are for. */
export const pushAudience = 'https://pubsub-sink.penstock.localhost';

const SESSION_MS = 2_000;
/** Where no sink is killed, none is to be taken for dead on a busy machine. */
const PATIENT_SESSION_MS = 30_000;
/** After so long a rotator that was killed is gone on for. */
const LEASE_MS = 2_000;
const MAX_MESSAGE_BYTES = 1024 * 1024;
const GONE_TIMEOUT_MS = 60_000;
const PLAIN_KAFKA = `brokers: "\${KAFKA_BROKERS}"`;

const TABLES = `
CREATE TABLE Events (
  Topic STRING(249) NOT NULL,
  PartitionId INT64 NOT NULL,
  RecordOffset INT64 NOT NULL,
  EventKey STRING(64) NOT NULL,
  Sequence INT64 NOT NULL,
  Amount INT64 NOT NULL,
  Token STRING(64) NOT NULL,
  CONSTRAINT AmountIsNotNegative CHECK (Amount >= 0),
) PRIMARY KEY (Topic, PartitionId, RecordOffset);
CREATE UNIQUE INDEX EventsByToken ON Events (Token);
CREATE TABLE Latest (
  EventKey STRING(MAX) NOT NULL,
  Sequence INT64 NOT NULL,
) PRIMARY KEY (EventKey);
CREATE TABLE Guarded (
  EventKey STRING(MAX) NOT NULL,
  Sequence INT64 NOT NULL,
  Version INT64 NOT NULL,
) PRIMARY KEY (EventKey);
CREATE TABLE Counters (
  EventKey STRING(MAX) NOT NULL,
  EventCount INT64 NOT NULL,
  AmountSum INT64 NOT NULL,
  SequenceMin INT64 NOT NULL,
  SequenceMax INT64 NOT NULL,
  LastSequence INT64 NOT NULL,
  LastVersion INT64 NOT NULL,
) PRIMARY KEY (EventKey);
CREATE TABLE Hourly (
  EventKey STRING(MAX) NOT NULL,
  Hour TIMESTAMP NOT NULL,
  EventCount INT64 NOT NULL,
  AmountSum INT64 NOT NULL,
) PRIMARY KEY (EventKey, Hour);
CREATE TABLE Parents (
  EventKey STRING(MAX) NOT NULL,
  Sequence INT64 NOT NULL,
) PRIMARY KEY (EventKey);
CREATE TABLE Children (
  EventKey STRING(MAX) NOT NULL,
  Slot INT64 NOT NULL,
  Sequence INT64 NOT NULL,
) PRIMARY KEY (EventKey, Slot), INTERLEAVE IN PARENT Parents ON DELETE CASCADE;
CREATE TABLE Pushed (
  EventKey STRING(64) NOT NULL,
  EventCount INT64 NOT NULL,
  SequenceSum INT64 NOT NULL,
  SequenceMax INT64 NOT NULL,
) PRIMARY KEY (EventKey);`;

/** Insert shows doubles, upsert shows order, a guard shows versions, counters show doubles where a row would hide them. */
function declarationText(maxRows: number, kafkaSettings: string): string {
  const kafka = `source: { kafka: { topic: ${chaosTopic} } }
    format: json
    batch: { maxRows: ${maxRows}, linger: 50ms }`;
  const key = 'EventKey: { key: true }';
  const sequence = 'Sequence: { field: sequence }';
  const last = '{ last: sequence, by: version, version: LastVersion }';
  return `
spanner: { database: "projects/\${GOOGLE_CLOUD_PROJECT}/instances/main/databases/chaos" }
kafka: { ${kafkaSettings} }
pipelines:
  events:
    ${kafka}
    table: Events
    mode: insert
    tombstones: ignore
    columns:
      Topic: { record: topic }
      PartitionId: { record: partition }
      RecordOffset: { record: offset }
      ${key}
      ${sequence}
      Amount: { field: amount }
      Token: { field: token }
  latest:
    ${kafka}
    table: Latest
    mode: upsert
    columns: { ${key}, ${sequence} }
  guarded:
    ${kafka}
    table: Guarded
    mode: upsert
    guard: Version
    columns: { ${key}, ${sequence}, Version: { header: version } }
  counters:
    ${kafka}
    table: Counters
    mode: aggregate
    groupBy: { ${key} }
    aggregates:
      EventCount: { count: true }
      AmountSum: { sum: amount }
      SequenceMin: { min: sequence }
      SequenceMax: { max: sequence }
      LastSequence: ${last}
  hourly:
    ${kafka}
    table: Hourly
    mode: aggregate
    groupBy: { ${key}, Hour: { field: at, window: 1h } }
    aggregates: { EventCount: { count: true }, AmountSum: { sum: amount } }
  routed:
    ${kafka}
    mode: upsert
    routes:
      - { when: { header: type, in: [parent] }, table: Parents, columns: { ${key}, ${sequence} } }
      - { when: { header: type, in: [child] }, table: Children, columns: { ${key}, Slot: { field: slot }, ${sequence} } }
  pushed:
    source: { pubsub: { subscription: ${pushSubscription} } }
    format: json
    table: Pushed
    mode: aggregate
    groupBy: { EventKey: { field: key } }
    aggregates: { EventCount: { count: true }, SequenceSum: { sum: sequence }, SequenceMax: { max: sequence } }
`;
}

/** How a worker is started. */
export interface SinkOptions {
  readonly maxRows?: number;
  readonly onLine?: (line: string) => void;
  /** Its own way to Spanner, where its commits are seen. */
  readonly entrance?: Pick<Entrance, 'address'>;
  /** All of them unless given. */
  readonly pipelines?: readonly TopicPipeline[];
}

/** A cloud with the chaos pipelines, and sinks on demand. */
export interface SinkRig {
  readonly cloud: ChaosCloud;
  readonly database: Database;
  readonly brokers: readonly string[];
  readonly partitions: number;
  /** After how long a silent worker loses its partitions. */
  readonly sessionMs: number;
  startSink(options?: SinkOptions): RunningFunction;
  /** Starts pubsub-sink, always at the same address. */
  startPushSink(entrance?: Pick<Entrance, 'address'>): Promise<RunningFunction>;
  /** Creates the topic, or deletes and creates it. */
  recreateTopic(): Promise<void>;
  /** Starts rotate-secrets; some functions of it may run at once. */
  startRotator(onLine: (line: string) => void): Promise<RunningFunction>;
  isClosed(): boolean;
  /** Ends every process and server. */
  close(): Promise<void>;
}

/** Where the sinks come from, and what they read. */
export interface SinkRigOptions {
  /** Bundles of kafka-sink and pubsub-sink. */
  readonly dist: string;
  readonly partitions: number;
  readonly random: Random;
  /** Brokers to use instead of the laptop's. */
  readonly kafka?: ChaosKafka;
  /** The sinks log in by SCRAM, as the secret `kafka-sink` says. */
  readonly byScram?: boolean;
  /** Settings of the topic. */
  readonly topicSettings?: Readonly<Record<string, string>>;
}

/**
 * Opens a cloud of its own with tables, topic and subscription; no sink runs yet.
 */
export async function openSinkRig(options: SinkRigOptions): Promise<SinkRig> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-chaos-'));
  const sessionMs = options.byScram ? PATIENT_SESSION_MS : SESSION_MS;
  const place = { dir, byScram: options.byScram ?? false };
  const cloud = await openChaosCloud(options);
  const running: RunningFunction[] = [];
  const { brokers } = cloud.kafka;
  const own = { env: { ...cloud.env, SPANNER_EMULATOR_HOST: cloud.spanner.address } };
  const database = await openLocalDatabase(own, writeDeclaration(cloud, place, 1).database, TABLES);
  const { partitions } = options;
  await makeTopic(brokers, options);
  const env = {
    ...cloud.env,
    PENSTOCK_IDENTITY: identities.kafkaSink,
    PENSTOCK_CALLERS: identities.push,
    PENSTOCK_KAFKA_SESSION_MS: String(sessionMs),
    METADATA_SERVER_DETECTION: 'none',
    NODE_COMPILE_CACHE: join(dir, 'compile-cache'),
  };
  let pushPort = 0;
  let closed = false;
  return {
    cloud,
    database,
    brokers,
    partitions,
    sessionMs,
    startSink({ maxRows = 200, onLine, entrance = cloud.door, pipelines = [] } = {}) {
      const PENSTOCK_DECLARATION = writeDeclaration(cloud, place, maxRows).path;
      const sink = runWorker({
        name: 'kafka-sink',
        dist: options.dist,
        env: {
          ...env,
          PENSTOCK_DECLARATION,
          SPANNER_EMULATOR_HOST: entrance.address,
          PENSTOCK_PIPELINE: pipelines.join(','),
        },
        ...(onLine ? { onLine } : {}),
      });
      running.push(sink);
      return sink;
    },
    async startPushSink(entrance) {
      const PENSTOCK_DECLARATION = writeDeclaration(cloud, place, 1).path;
      const SPANNER_EMULATOR_HOST = entrance?.address ?? cloud.door.address;
      const environment = { ...env, PENSTOCK_DECLARATION, PENSTOCK_AUDIENCE: pushAudience, SPANNER_EMULATOR_HOST };
      const sink = await runFunction({ name: 'pubsub-sink', dist: options.dist, env: environment, port: pushPort });
      running.push(sink);
      if (pushPort === 0) {
        pushPort = Number(new URL(sink.url).port);
        await subscribe({
          topic: pushSubscription,
          subscription: pushSubscription,
          push: sink,
          caller: identities.push,
        });
      }
      return sink;
    },
    async startRotator(onLine) {
      const PENSTOCK_DECLARATION = writeDeclaration(cloud, place, 1).path;
      const own = { ...env, PENSTOCK_DECLARATION, PENSTOCK_ROTATION_LEASE_MS: String(LEASE_MS) };
      const caller = { PENSTOCK_IDENTITY: identities.rotateSecrets, PENSTOCK_CALLERS: identities.scheduler };
      const rotator = await runFunction({
        name: 'rotate-secrets',
        dist: options.dist,
        env: { ...own, ...caller },
        onLine,
      });
      running.push(rotator);
      return rotator;
    },
    recreateTopic: () => makeTopic(brokers, options),
    isClosed: () => closed,
    async close() {
      closed = true;
      for (const sink of running) sink.kill('SIGKILL');
      await Promise.all(running.map(({ ended }) => ended));
      await database.close();
      await cloud.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function makeTopic(
  brokers: readonly string[],
  { partitions, topicSettings = {} }: SinkRigOptions,
): Promise<void> {
  const admin = kafkajsClient({ clientId: 'penstock-chaos', brokers: [...brokers] }).admin();
  await admin.connect();
  try {
    const isGone = async (): Promise<boolean> => !(await admin.listTopics()).includes(chaosTopic);
    if (!(await isGone())) {
      await admin.deleteTopics({ topics: [chaosTopic] });
      await waitUntil(`topic ${chaosTopic} is gone`, isGone, GONE_TIMEOUT_MS);
    }
    await createTopic(brokers, { name: chaosTopic, partitions, maxMessageBytes: MAX_MESSAGE_BYTES });
    const configEntries = Object.entries(topicSettings).map(([name, value]) => ({ name, value }));
    if (configEntries.length > 0) {
      const resources = [{ type: ConfigResourceTypes.TOPIC, name: chaosTopic, configEntries }];
      await admin.alterConfigs({ validateOnly: false, resources });
    }
  } finally {
    await admin.disconnect();
  }
}

function writeDeclaration(
  cloud: ChaosCloud,
  { dir, byScram }: { readonly dir: string; readonly byScram: boolean },
  maxRows: number,
): { path: string; database: string } {
  const { kafka, secrets } = byScram ? scramSettings(cloud.kafka) : { kafka: PLAIN_KAFKA, secrets: '' };
  const { declaration } = readDeclaration({
    file: 'chaos.yaml',
    text: `${declarationText(maxRows, kafka)}${secrets}`,
    env: cloud.env,
    sections: ['spanner', 'kafka', 'pipelines'],
  });
  const path = join(dir, `declaration-${maxRows}.json`);
  // Workers that are starting read it.
  if (!existsSync(path)) writeFileSync(path, JSON.stringify(declaration));
  return { path, database: declaration.spanner.database };
}
