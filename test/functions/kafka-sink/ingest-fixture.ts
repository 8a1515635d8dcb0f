import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type Database, Spanner } from '@google-cloud/spanner';
import kafkajs, { type Producer } from 'kafkajs';
import { openKafkaServer } from '../../../deploy/local/kafka/server.ts';
import { openSpannerServer, type SpannerServer } from '../../../deploy/local/spanner/server.ts';
import { runKafkaSink } from '../../../functions/kafka-sink/run-kafka-sink.ts';
import { type Log, noLog } from '../../../shared/base/log.ts';
import type { ColumnSource, Declaration, Pipeline } from '../../../shared/model/config/declaration.ts';
import { plainColumn, plainDeclaration, plainKafka, plainPipeline } from '../../shared/model/config/plain-pipeline.ts';

export const databaseName = 'projects/test/instances/main/databases/flights';

/** The control tables and what the tests write to. */
const TABLES = [
  `CREATE TABLE Flights (
    FlightId STRING(64) NOT NULL, DepartedAt TIMESTAMP NOT NULL, DelayMinutes INT64, Origin STRING(3) NOT NULL,
  ) PRIMARY KEY (FlightId)`,
  `CREATE TABLE Counts (
    Origin STRING(3) NOT NULL, FlightCount INT64 NOT NULL, TotalDelayMinutes INT64, WorstDelayMinutes INT64,
  ) PRIMARY KEY (Origin)`,
  `CREATE TABLE Airports (Iata STRING(3) NOT NULL, Name STRING(MAX), Version INT64) PRIMARY KEY (Iata)`,
];

export function from(column: string, path: string, format?: string, zone?: string): ColumnSource {
  return plainColumn(column, { kind: 'field', path }, { format, zone });
}

const base = {
  batch: { maxRows: 500, maxBytes: 4 * 1024 * 1024, lingerMs: 5 },
  commit: { priority: 'medium', maxDelayMs: 0, tag: 'penstock-test', excludeFromChangeStreams: false },
} as const;

export const flights: Pipeline = plainPipeline({
  pipeline: {
    ...base,
    name: 'flights',
    source: { kind: 'kafka', topics: ['flights'], pattern: undefined, group: 'penstock-flights' },
  },
  table: 'Flights',
  columns: [
    plainColumn('FlightId', { kind: 'key' }),
    from('DepartedAt', 'date', 'yyyy/MM/dd HH:mm', 'America/Chicago'),
    from('DelayMinutes', 'delay'),
    from('Origin', 'origin'),
  ],
});

export const counts: Pipeline = plainPipeline({
  pipeline: {
    ...base,
    name: 'counts',
    source: { kind: 'kafka', topics: ['flights'], pattern: undefined, group: 'penstock-counts' },
  },
  table: 'Counts',
  mode: 'aggregate',
  aggregate: {
    groupBy: [from('Origin', 'origin')],
    into: [
      { column: 'FlightCount', function: 'count', field: undefined, by: undefined },
      { column: 'TotalDelayMinutes', function: 'sum', field: 'delay', by: undefined },
      { column: 'WorstDelayMinutes', function: 'max', field: 'delay', by: undefined },
    ],
  },
});

export const airports: Pipeline = plainPipeline({
  pipeline: { ...base, name: 'airports', source: { kind: 'pubsub', subscription: 'airports' } },
  table: 'Airports',
  columns: [from('Iata', 'iata'), from('Name', 'name'), from('Version', 'version')],
  guard: 'Version',
});

/** What one flight's record holds. */
export function flight(id: string, delay: unknown = 5, origin: unknown = 'ORD'): { key: string; value: string } {
  return { key: id, value: JSON.stringify({ date: '2001/01/01 00:47', delay, origin }) };
}

export interface Ingest {
  readonly brokers: string;
  /** By listener. */
  readonly addresses: Readonly<Record<string, string>>;
  readonly database: Database;
  readonly spannerServer: SpannerServer;
  readonly producer: Producer;
  declaration(...pipelines: Pipeline[]): Declaration;
  createTopic(partitions?: number, topic?: string): Promise<void>;
  deleteTopic(): Promise<void>;
  produce(
    messages: { key: string | null; value: string | Buffer | null; partition?: number }[],
    topic?: string,
  ): Promise<void>;
  /** Runs the sink until it has caught up. */
  sink(...pipelines: Pipeline[]): Promise<void>;
  query(sql: string): Promise<Record<string, unknown>[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Kafka and Spanner of the laptop's cloud, with the control tables. */
export async function openIngest(
  options: {
    readonly spannerDir?: string;
    readonly kafka?: Parameters<typeof openKafkaServer>[0];
    readonly abortCommits?: (commitNumber: number) => boolean;
  } = {},
): Promise<Ingest> {
  const kafka = await openKafkaServer(options.kafka ?? {});
  const spannerServer = await openSpannerServer({
    ...(options.spannerDir === undefined ? {} : { dir: options.spannerDir }),
    ...(options.abortCommits === undefined ? {} : { faults: { abortCommits: options.abortCommits } }),
  });
  process.env.SPANNER_EMULATOR_HOST = spannerServer.address;
  // Else Google's libraries search for a metadata server, and warn that there is none.
  process.env.METADATA_SERVER_DETECTION ??= 'none';
  const spanner = new Spanner({ projectId: 'test' });
  const database = await createDatabase(spanner);
  const client = new kafkajs.Kafka({ brokers: [kafka.address], logLevel: kafkajs.logLevel.NOTHING });
  const admin = client.admin();
  const producer = client.producer();
  await admin.connect();
  await producer.connect();
  const declaration = (...pipelines: Pipeline[]): Declaration =>
    plainDeclaration({
      spanner: { database: databaseName },
      kafka: plainKafka(kafka.address),
      pipelines: Object.fromEntries(pipelines.map((pipeline) => [pipeline.name, pipeline])),
    });
  return {
    brokers: kafka.address,
    addresses: kafka.addresses,
    database,
    spannerServer,
    producer,
    declaration,
    createTopic: async (numPartitions = 1, topic = 'flights') => {
      const configEntries = [{ name: 'max.message.bytes', value: String(32 * 1024 * 1024) }];
      await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }], waitForLeaders: true });
    },
    deleteTopic: () => admin.deleteTopics({ topics: ['flights'] }),
    produce: async (messages, topic = 'flights') => {
      await producer.send({ topic, messages });
    },
    sink: (...pipelines) => runSink(declaration(...pipelines)),
    query: async (sql) => {
      const [rows] = await database.run({ sql, json: true });
      return rows.map((row): Record<string, unknown> => ({ ...row }));
    },
    async [Symbol.asyncDispose]() {
      await producer.disconnect();
      await admin.disconnect();
      await database.close();
      spanner.close();
      await kafka.close();
      // A test may have closed it before.
      await spannerServer.close().catch(() => {});
    },
  };
}

async function createDatabase(spanner: Spanner): Promise<Database> {
  const [instance, creation] = await spanner.createInstance('main', { config: 'c', nodes: 1, displayName: 'main' });
  await creation.promise();
  const control = readFileSync(new URL('../../../deploy/gcp/schema.sql', import.meta.url), 'utf8')
    .replaceAll(/^--.*$/gm, '')
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
  const [database, operation] = await instance.createDatabase('flights', { schema: [...control, ...TABLES] });
  await operation.promise();
  return database;
}

/** Runs the sink until everything that the topics hold is in Spanner, or the signal comes. */
export function runSink(
  declaration: Declaration,
  options: {
    signal?: AbortSignal;
    log?: Log;
    storeDeadlineMs?: number;
    tableCheckMs?: number;
    lookEveryMs?: number;
  } = {},
): Promise<void> {
  return runKafkaSink({
    declaration,
    pipelines: [],
    untilCaughtUp: options.signal === undefined,
    signal: options.signal ?? AbortSignal.timeout(DEADLINE_MS),
    log: options.log ?? noLog,
    identity: 'tester@test.iam.gserviceaccount.com',
    storeDeadlineMs: options.storeDeadlineMs ?? 15_000,
    ...(options.tableCheckMs === undefined ? {} : { tableCheckMs: options.tableCheckMs }),
    ...(options.lookEveryMs === undefined ? {} : { lookEveryMs: options.lookEveryMs }),
  });
}

/** Of a busy machine. */
const DEADLINE_MS = 150_000;

/** A log that tells when a line with this text comes, so that a test waits for what happens and not for time. */
export function watchedLog(text: string): { log: (severity: string, message: string) => void; seen: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const log = (_severity: string, message: string): void => {
    if (message.includes(text)) resolve();
  };
  return { log, seen: promise };
}

/** Waits until a table holds that many rows. */
export async function untilRows(ingest: Ingest, least: number, table = 'Flights'): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const [rows] = await ingest.query(`SELECT COUNT(*) AS n FROM ${table}`);
    if (Number(rows?.n) >= least) return;
    assert.ok(Date.now() < deadline, `${table} never held ${least} rows`);
  }
}
