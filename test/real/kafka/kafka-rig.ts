import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Database, Spanner } from '@google-cloud/spanner';
import { controlSchema, createOnEmulator, migrate } from '../../../deploy/gcp/migrate.ts';
import { type RunningFunction, runWorker } from '../../../deploy/local/functions/run-function.ts';
import { localProject } from '../../../deploy/local/project.ts';
import { openSpannerServer } from '../../../deploy/local/spanner/server.ts';
import { readDeclaration } from '../../../shared/model/config/read-declaration.ts';
import { buildChaosBundles } from '../../chaos/chaos-bundles.ts';
import { createRealTopic } from './create-real-topic.ts';
import { openRealKafka, type RealKafka } from './real-kafka.ts';

const demo = resolve(import.meta.dirname, '../../../deploy/local/demo');
export const flightsTopic = 'flights';
const PARTITIONS = 4;
const SESSION_MS = 3_000;

/** The example's pipelines between Apache Kafka and the laptop's Spanner; sinks on demand. */
export interface KafkaRig {
  readonly kafka: RealKafka;
  readonly database: Database;
  /** Starts the bundle of kafka-sink. */
  startSink(): RunningFunction;
  /** Where the pipelines stand, by `pipeline/partition`. */
  checkpoints(): Promise<ReadonlyMap<string, number>>;
  /** Ends every process and server. */
  close(): Promise<void>;
}

/** Opens a rig of its own, with an empty topic of four partitions. */
export async function openKafkaRig(options: { readonly maxRows: number }): Promise<KafkaRig> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-real-'));
  // First what may fail for reasons outside: nothing else is open then.
  const kafka = await openRealKafka();
  const [bundles, spanner] = await Promise.all([buildChaosBundles(['kafka-sink']), openSpannerServer()]);
  const env = {
    SPANNER_EMULATOR_HOST: spanner.address,
    KAFKA_BROKERS: kafka.brokers.join(','),
    GOOGLE_CLOUD_PROJECT: localProject,
    TRAINER_URL: 'http://127.0.0.1:9',
    METADATA_SERVER_DETECTION: 'none',
    PENSTOCK_IDENTITY: 'kafka-sink@local',
    PENSTOCK_KAFKA_SESSION_MS: String(SESSION_MS),
    PENSTOCK_DECLARATION: join(dir, 'declaration.json'),
    NODE_COMPILE_CACHE: join(dir, 'compile-cache'),
  };
  const { declaration } = readDeclaration({
    file: 'penstock.yaml',
    text: readFileSync(join(demo, 'penstock.yaml'), 'utf8').replace('maxRows: 5000', `maxRows: ${options.maxRows}`),
    env,
    sections: ['spanner', 'kafka', 'pipelines'],
  });
  writeFileSync(env.PENSTOCK_DECLARATION, JSON.stringify(declaration));
  const database = await openDatabase(spanner.address, declaration.spanner.database);
  await createRealTopic(kafka.brokers, flightsTopic, PARTITIONS);
  const sinks: RunningFunction[] = [];
  return {
    kafka,
    database,
    startSink() {
      const sink = runWorker({ name: 'kafka-sink', dist: bundles.dist, env });
      sinks.push(sink);
      return sink;
    },
    async checkpoints() {
      const [rows] = await database
        .table('PenstockCheckpoints')
        .read({ keySet: { all: true }, columns: ['Pipeline', 'PartitionId', 'NextOffset'], json: true });
      return new Map(
        rows.map((found) => {
          const row: Readonly<Record<string, unknown>> = { ...found };
          return [`${String(row.Pipeline)}/${String(row.PartitionId)}`, Number(row.NextOffset)];
        }),
      );
    },
    async close() {
      for (const sink of sinks) sink.kill('SIGKILL');
      await Promise.all(sinks.map(({ ended }) => ended));
      await database.close();
      await Promise.all([kafka.close(), spanner.close()]);
      bundles.remove();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function openDatabase(address: string, path: string): Promise<Database> {
  // The official client finds the emulator through the environment of its own process.
  process.env.SPANNER_EMULATOR_HOST = address;
  process.env.METADATA_SERVER_DETECTION ??= 'none';
  const spanner = new Spanner({ projectId: localProject });
  const [, , , instance = '', , name = ''] = path.split('/');
  await createOnEmulator(spanner, path);
  const database = spanner.instance(instance).database(name);
  await migrate(database, readFileSync(join(demo, 'tables.sql'), 'utf8'));
  await migrate(database, controlSchema);
  return database;
}
