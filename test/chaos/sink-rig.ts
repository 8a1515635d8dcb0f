import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '@google-cloud/spanner';
import { createTopic } from '../../deploy/cli/stack/create-topic.ts';
import { identities } from '../../deploy/cli/stack/identities.ts';
import { openLocalDatabase } from '../../deploy/cli/stack/open-local-database.ts';
import { subscribe } from '../../deploy/cli/stack/subscribe.ts';
import { type LocalCloud, openLocalCloud } from '../../deploy/local/cloud.ts';
import { type RunningFunction, runFunction, runWorker } from '../../deploy/local/functions/run-function.ts';
import { readDeclaration } from '../../shared/model/config/read-declaration.ts';

/** Where records and messages come from. */
export const chaosTopic = 'chaos';
export const pushSubscription = 'chaos-pushed';
/** What the tokens of its pushes are for. */
export const pushAudience = 'https://pubsub-sink.penstock.localhost';

const SESSION_MS = 1_500;

const TABLES = `
CREATE TABLE Events (
  Topic STRING(249) NOT NULL,
  PartitionId INT64 NOT NULL,
  RecordOffset INT64 NOT NULL,
  EventKey STRING(64) NOT NULL,
  Sequence INT64 NOT NULL,
) PRIMARY KEY (Topic, PartitionId, RecordOffset);
CREATE TABLE Latest (
  EventKey STRING(64) NOT NULL,
  Sequence INT64 NOT NULL,
) PRIMARY KEY (EventKey);
CREATE TABLE Counters (
  EventKey STRING(64) NOT NULL,
  EventCount INT64 NOT NULL,
  SequenceSum INT64 NOT NULL,
  SequenceMax INT64 NOT NULL,
) PRIMARY KEY (EventKey);
CREATE TABLE Pushed (
  EventKey STRING(64) NOT NULL,
  EventCount INT64 NOT NULL,
  SequenceSum INT64 NOT NULL,
  SequenceMax INT64 NOT NULL,
) PRIMARY KEY (EventKey);`;

/** Insert shows doubles, upsert shows order, counters show both where a row would hide them. */
function declarationText(maxRows: number): string {
  const kafka = `source: { kafka: { topic: ${chaosTopic} } }
    format: json
    batch: { maxRows: ${maxRows}, linger: 10ms }`;
  const counters = `aggregates: { EventCount: { count: true }, SequenceSum: { sum: sequence }, SequenceMax: { max: sequence } }`;
  return `
spanner: { database: "projects/\${GOOGLE_CLOUD_PROJECT}/instances/main/databases/chaos" }
kafka: { brokers: "\${KAFKA_BROKERS}" }
pipelines:
  events:
    ${kafka}
    table: Events
    mode: insert
    columns:
      Topic: { record: topic }
      PartitionId: { record: partition }
      RecordOffset: { record: offset }
      EventKey: { key: true }
      Sequence: { field: sequence }
  latest:
    ${kafka}
    table: Latest
    mode: upsert
    columns: { EventKey: { key: true }, Sequence: { field: sequence } }
  counters:
    ${kafka}
    table: Counters
    mode: aggregate
    groupBy: { EventKey: { key: true } }
    ${counters}
  pushed:
    source: { pubsub: { subscription: ${pushSubscription} } }
    format: json
    table: Pushed
    mode: aggregate
    groupBy: { EventKey: { field: key } }
    ${counters}
`;
}

/** The laptop's cloud with the chaos pipelines, and sinks on demand. */
export interface SinkRig {
  readonly cloud: LocalCloud;
  readonly database: Database;
  readonly brokers: readonly string[];
  readonly partitions: number;
  /** After how long a silent worker loses its partitions. */
  readonly sessionMs: number;
  startSink(options?: { readonly maxRows?: number; readonly onLine?: (line: string) => void }): RunningFunction;
  /** Starts pubsub-sink, always at the same address. */
  startPushSink(): Promise<RunningFunction>;
  /** Ends every process and server. */
  close(): Promise<void>;
}

/**
 * Opens a cloud of its own with tables, topic and subscription; no sink runs yet.
 *
 * @param options.dist bundles of kafka-sink and pubsub-sink
 */
export async function openSinkRig(options: { readonly dist: string; readonly partitions: number }): Promise<SinkRig> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-chaos-'));
  const cloud = await openLocalCloud();
  const running: RunningFunction[] = [];
  const brokers = [cloud.env.KAFKA_BROKERS ?? ''];
  const database = await openLocalDatabase(cloud, writeDeclaration(cloud, dir, 1).database, TABLES);
  await createTopic(brokers, { name: chaosTopic, partitions: options.partitions, maxMessageBytes: 1024 * 1024 });
  const env = {
    ...cloud.env,
    PENSTOCK_IDENTITY: identities.kafkaSink,
    PENSTOCK_CALLERS: identities.push,
    PENSTOCK_KAFKA_SESSION_MS: String(SESSION_MS),
    METADATA_SERVER_DETECTION: 'none',
    NODE_COMPILE_CACHE: join(dir, 'compile-cache'),
  };
  let pushPort = 0;
  return {
    cloud,
    database,
    brokers,
    partitions: options.partitions,
    sessionMs: SESSION_MS,
    startSink({ maxRows = 200, onLine } = {}) {
      const PENSTOCK_DECLARATION = writeDeclaration(cloud, dir, maxRows).path;
      const sink = runWorker({
        name: 'kafka-sink',
        dist: options.dist,
        env: { ...env, PENSTOCK_DECLARATION },
        ...(onLine ? { onLine } : {}),
      });
      running.push(sink);
      return sink;
    },
    async startPushSink() {
      const PENSTOCK_DECLARATION = writeDeclaration(cloud, dir, 1).path;
      const environment = { ...env, PENSTOCK_DECLARATION, PENSTOCK_AUDIENCE: pushAudience };
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
    async close() {
      for (const sink of running) sink.kill('SIGKILL');
      await Promise.all(running.map(({ ended }) => ended));
      await database.close();
      await cloud.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function writeDeclaration(cloud: LocalCloud, dir: string, maxRows: number): { path: string; database: string } {
  const { declaration } = readDeclaration({
    file: 'chaos.yaml',
    text: declarationText(maxRows),
    env: cloud.env,
    sections: ['spanner', 'kafka', 'pipelines'],
  });
  const path = join(dir, `declaration-${maxRows}.json`);
  // Workers that are starting read it.
  if (!existsSync(path)) writeFileSync(path, JSON.stringify(declaration));
  return { path, database: declaration.spanner.database };
}
