import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, Spanner } from '@google-cloud/spanner';
import { createTopic } from '../../deploy/cli/stack/create-topic.ts';
import { identities } from '../../deploy/cli/stack/identities.ts';
import { makeRotatingSecrets } from '../../deploy/cli/stack/rotating-secrets.ts';
import { runTrainer } from '../../deploy/cli/stack/run-trainer.ts';
import { controlSchema, createOnEmulator, migrate } from '../../deploy/gcp/migrate.ts';
import { type LocalCloud, openLocalCloud } from '../../deploy/local/cloud.ts';
import { type RunningFunction, runFunction } from '../../deploy/local/functions/run-function.ts';
import { localProject } from '../../deploy/local/project.ts';
import { readDeclaration } from '../../shared/model/config/read-declaration.ts';
import { buildChaosBundles } from '../chaos/chaos-bundles.ts';
import { PrintedLines } from './printed-lines.ts';

const TABLES = `
CREATE TABLE Flights (
  FlightId STRING(32) NOT NULL,
) PRIMARY KEY (FlightId);
CREATE TABLE Airports (
  Iata STRING(4) NOT NULL,
  Name STRING(MAX) NOT NULL,
) PRIMARY KEY (Iata);`;

const DECLARATION = `
spanner: { database: "projects/\${GOOGLE_CLOUD_PROJECT}/instances/main/databases/doors" }
kafka: { brokers: "\${KAFKA_BROKERS}" }
pipelines:
  airports:
    source: { pubsub: { subscription: airports } }
    format: json
    table: Airports
    mode: upsert
    columns: { Iata: { field: iata }, Name: { field: name } }
  flights:
    source: { kafka: { topic: flights } }
    format: json
    table: Flights
    mode: upsert
    columns: { FlightId: { key: true } }
feeds:
  names:
    table: Airports
    transforms: { name: { column: Name, vocabulary: { maxSize: 10, unknown: 1 } } }
    batchRows: 256
    shards: 2
    seed: 7
    trainer: { url: "\${TRAINER_URL}", audience: "\${TRAINER_URL}" }
secrets:
  door-key: { strategy: hmac-key, every: 7d, overlap: 1h }
`;

/** What a function may have written to. */
const WRITTEN = [
  'Airports',
  'PenstockReceipts',
  'PenstockDeadLetters',
  'PenstockEpochs',
  'PenstockLineage',
  'PenstockRotations',
];

/** The functions that listen, each with the accounts that may call it. */
export const doors = {
  'pubsub-sink': identities.push,
  'read-shard': identities.push,
  'plan-epoch': identities.scheduler,
  'kafka-sink': identities.scheduler,
  'rotate-secrets': identities.scheduler,
  dashboard: identities.laptop,
} as const;

/** As whom each goes out. */
export const accounts = {
  'pubsub-sink': identities.pubsubSink,
  'read-shard': identities.readShard,
  'plan-epoch': identities.planEpoch,
  'kafka-sink': identities.kafkaSink,
  'rotate-secrets': identities.rotateSecrets,
  dashboard: identities.dashboard,
} as const;

export type DoorName = keyof typeof doors;

/** A door that can be knocked at. */
export interface Door {
  readonly url: string;
  readonly audience: string;
  readonly caller: string;
}

/** A function with a door, and what it prints. */
export interface RunningDoor extends RunningFunction, Door {
  readonly printed: PrintedLines;
}

/** The laptop's cloud, and built bundles on demand. */
export interface DoorsRig {
  readonly cloud: LocalCloud;
  readonly database: Database;
  /** Where the declaration lies. */
  readonly declarationPath: string;
  start(name: DoorName, env?: Readonly<Record<string, string>>): Promise<RunningDoor>;
  startTrainer(): Promise<Door>;
  /** @returns rows of all tables that a function could have written to */
  writtenRows(): Promise<number>;
  close(): Promise<void>;
}

/** Opens a cloud with a pipeline and a feed; no function runs yet. */
export async function openDoorsRig(): Promise<DoorsRig> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-doors-'));
  const bundles = await buildChaosBundles(Object.keys(doors));
  const cloud = await openLocalCloud();
  const closers: (() => Promise<unknown>)[] = [];
  const trainerUrl = 'http://127.0.0.1:9';
  const { declaration } = readDeclaration({
    file: 'doors.yaml',
    text: DECLARATION,
    env: { ...cloud.env, TRAINER_URL: trainerUrl },
    sections: ['spanner', 'kafka', 'pipelines', 'feeds', 'secrets'],
  });
  const declarationPath = join(dir, 'declaration.json');
  writeFileSync(declarationPath, JSON.stringify(declaration));
  await createTopic(declaration.kafka?.brokers ?? [], { name: 'flights', partitions: 1, maxMessageBytes: 1024 * 1024 });
  await makeRotatingSecrets(cloud, declaration);
  const database = await openDatabase(cloud, declaration.spanner.database);
  return {
    cloud,
    database,
    declarationPath,
    async start(name, env = {}) {
      const caller = doors[name];
      const printed = new PrintedLines();
      const running = await runFunction({
        name,
        dist: bundles.dist,
        onLine: (line) => printed.add(line),
        env: {
          ...cloud.env,
          PENSTOCK_DECLARATION: declarationPath,
          PENSTOCK_CALLERS: caller,
          GCE_METADATA_HOST: (await cloud.identity.openMetadataServer(accounts[name])).host,
          SPANNER_DISABLE_BUILTIN_METRICS: 'true',
          NODE_COMPILE_CACHE: join(dir, 'compile-cache'),
          ...env,
        },
      });
      closers.push(() => running.stop());
      return { ...running, caller, printed };
    },
    async startTrainer() {
      const trainer = await runTrainer({ dir: join(dir, 'trainer'), env: cloud.env, callers: [identities.readShard] });
      closers.push(() => trainer.stop());
      return { url: trainer.url, audience: trainer.url, caller: identities.readShard };
    },
    async writtenRows() {
      const counts = WRITTEN.map((table) => `(SELECT COUNT(*) FROM ${table})`).join(' + ');
      const [rows] = await database.run({ sql: `SELECT ${counts} AS RowCount`, json: true });
      return Number(Object(rows[0]).RowCount);
    },
    async close() {
      await Promise.all(closers.map((closer) => closer()));
      await database.close().catch(() => {});
      await cloud.close();
      bundles.remove();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function openDatabase(cloud: LocalCloud, path: string): Promise<Database> {
  // The official client finds the emulator through the environment of its own process.
  process.env.SPANNER_EMULATOR_HOST = cloud.env.SPANNER_EMULATOR_HOST;
  process.env.METADATA_SERVER_DETECTION ??= 'none';
  const spanner = new Spanner({ projectId: localProject });
  await createOnEmulator(spanner, path);
  const [, , , instance = '', , name = ''] = path.split('/');
  const database = spanner.instance(instance).database(name);
  await migrate(database, TABLES);
  await migrate(database, controlSchema);
  return database;
}
