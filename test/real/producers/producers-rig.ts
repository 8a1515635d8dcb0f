import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, Spanner } from '@google-cloud/spanner';
import { controlSchema, createOnEmulator, migrate } from '../../../deploy/gcp/migrate.ts';
import { type RunningFunction, runWorker } from '../../../deploy/local/functions/run-function.ts';
import { localProject } from '../../../deploy/local/project.ts';
import { openSpannerServer } from '../../../deploy/local/spanner/server.ts';
import { readDeclaration } from '../../../shared/model/config/read-declaration.ts';
import { buildChaosBundles } from '../../chaos/chaos-bundles.ts';
import { createRealTopic } from '../kafka/create-real-topic.ts';
import { openRealKafka, type RealKafka } from '../kafka/real-kafka.ts';

const DATABASE = `projects/${localProject}/instances/main/databases/producers`;
const PARTITIONS = 3;

/** Apache Kafka, the laptop's Spanner, and a sink between them. */
export interface ProducersRig {
  readonly kafka: RealKafka;
  readonly database: Database;
  startSink(): RunningFunction;
  close(): Promise<void>;
}

/**
 * Opens a rig of its own.
 *
 * @param options.pipelines as a declaration has them
 */
export async function openProducersRig(options: {
  readonly topics: readonly string[];
  readonly tables: string;
  readonly pipelines: string;
}): Promise<ProducersRig> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-producers-'));
  // First what may fail for reasons outside: nothing else is open then.
  const kafka = await openRealKafka();
  const [bundles, spanner] = await Promise.all([buildChaosBundles(['kafka-sink']), openSpannerServer()]);
  const sinks: RunningFunction[] = [];
  const closeServers = async (): Promise<void> => {
    for (const sink of sinks) sink.kill('SIGKILL');
    await Promise.all(sinks.map(({ ended }) => ended));
    await Promise.all([kafka.close(), spanner.close()]);
    bundles.remove();
    rmSync(dir, { recursive: true, force: true });
  };
  const env = {
    SPANNER_EMULATOR_HOST: spanner.address,
    KAFKA_BROKERS: kafka.brokers.join(','),
    GOOGLE_CLOUD_PROJECT: localProject,
    METADATA_SERVER_DETECTION: 'none',
    PENSTOCK_IDENTITY: 'kafka-sink@local',
    PENSTOCK_DECLARATION: join(dir, 'declaration.json'),
  };
  const { declaration } = readDeclaration({
    file: 'penstock.yaml',
    text: `spanner: { database: ${DATABASE} }\nkafka: { brokers: "\${KAFKA_BROKERS}" }\npipelines:\n${options.pipelines}`,
    env,
    sections: ['spanner', 'kafka', 'pipelines'],
  });
  writeFileSync(env.PENSTOCK_DECLARATION, JSON.stringify(declaration));
  let database: Database;
  try {
    database = await openDatabase(spanner.address, options.tables);
    for (const topic of options.topics) await createRealTopic(kafka.brokers, topic, PARTITIONS);
  } catch (error) {
    await closeServers();
    throw error;
  }
  return {
    kafka,
    database,
    startSink() {
      const sink = runWorker({ name: 'kafka-sink', dist: bundles.dist, env });
      sinks.push(sink);
      return sink;
    },
    async close() {
      await database.close();
      await closeServers();
    },
  };
}

async function openDatabase(address: string, tables: string): Promise<Database> {
  // The official client finds the emulator through the environment of its own process.
  process.env.SPANNER_EMULATOR_HOST = address;
  process.env.METADATA_SERVER_DETECTION ??= 'none';
  const spanner = new Spanner({ projectId: localProject });
  await createOnEmulator(spanner, DATABASE);
  const database = spanner.instance('main').database('producers');
  await migrate(database, tables);
  await migrate(database, controlSchema);
  return database;
}
