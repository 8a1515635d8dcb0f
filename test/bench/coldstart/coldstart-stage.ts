import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { PubSub } from '@google-cloud/pubsub';
import { Spanner } from '@google-cloud/spanner';
import { readAirports } from '../../../deploy/cli/demo/airports.ts';
import { readFlights } from '../../../deploy/cli/demo/flights.ts';
import { sendFlights } from '../../../deploy/cli/demo/send-events.ts';
import { createTopic } from '../../../deploy/cli/stack/create-topic.ts';
import { controlSchema, createOnEmulator, migrate } from '../../../deploy/gcp/migrate.ts';
import { type LocalCloud, openLocalCloud } from '../../../deploy/local/cloud.ts';
import { localProject } from '../../../deploy/local/project.ts';
import type { RotatedSecret } from '../../../shared/model/config/declaration.ts';
import { readDeclaration } from '../../../shared/model/config/read-declaration.ts';
import { addSecret, openSecretClient } from '../../deploy/local/secret-manager/secret-client.ts';
import { peerRow } from '../ingest/peer-row.ts';
import { topic } from '../ingest/topic.ts';

const FLIGHTS = 2_000;
const CALLER = `caller@${localProject}.iam.gserviceaccount.com`;
const AUDIENCE = 'https://bench.penstock.localhost';
const SHARD_TOPIC = 'penstock-shards';

/** Made by rotate-secrets when it starts for the first time; nothing is due then at the starts that count. */
const HOOK_KEY: RotatedSecret = {
  name: 'hook-key',
  strategy: { kind: 'hmac-key' },
  everyMs: 28 * 86_400_000,
  overlapMs: 3_600_000,
  waitForUsersMs: 3_600_000,
  destroyAfterMs: 7 * 86_400_000,
};

/** One function's first request. */
export interface FirstRequest {
  readonly method: 'GET' | 'POST';
  readonly body: object | undefined;
}

/** A cloud on which each function has something to do, and the request that makes it do it. */
export interface ColdstartStage {
  /** What every function needs in its environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly requests: Readonly<Record<string, () => FirstRequest>>;
  authorization(): Promise<string>;
  /** Names the epoch that read-shard is asked for. */
  useEpoch(id: string): void;
  close(): Promise<void>;
}

/** Opens the laptop's cloud in this process, with the demo's tables, topics and 2,000 flights. */
export async function openColdstartStage(dir: string): Promise<ColdstartStage> {
  const cloud = await openLocalCloud();
  Object.assign(process.env, cloud.env, { METADATA_SERVER_DETECTION: 'none' });
  const trainer = await openTrainer();
  const declarationPath = join(dir, 'declaration.json');
  await prepare(cloud, declarationPath, trainer.url);
  const metadata = await cloud.identity.openMetadataServer(`function@${localProject}.iam.gserviceaccount.com`);
  let epoch = '';
  let sent = 0;
  return {
    env: {
      ...cloud.env,
      PENSTOCK_DECLARATION: declarationPath,
      PENSTOCK_IDENTITY: `function@${localProject}.iam.gserviceaccount.com`,
      PENSTOCK_CALLERS: CALLER,
      PENSTOCK_AUDIENCE: AUDIENCE,
      PENSTOCK_SHARD_TOPIC: SHARD_TOPIC,
      PENSTOCK_DASHBOARD_ACCESS: 'open',
      GCE_METADATA_HOST: metadata.host,
    },
    requests: {
      dashboard: () => ({ method: 'GET', body: undefined }),
      'kafka-sink': () => ({ method: 'POST', body: {} }),
      'plan-epoch': () => ({ method: 'POST', body: { feed: 'delays' } }),
      'pubsub-sink': () => ({ method: 'POST', body: push('airports', readAirports()[sent++] ?? {}, sent) }),
      'rotate-secrets': () => ({ method: 'POST', body: {} }),
      'read-shard': () => ({ method: 'POST', body: push(SHARD_TOPIC, { epoch, shard: 0 }, 0) }),
    },
    authorization: async () => `Bearer ${await cloud.identity.mintIdToken(CALLER, AUDIENCE)}`,
    useEpoch(id) {
      epoch = id;
    },
    async close() {
      trainer.server.closeAllConnections();
      trainer.server.close();
      await cloud.close();
    },
  };
}

function push(subscription: string, data: object, id: number): object {
  const message = { messageId: `bench-${id}`, data: Buffer.from(JSON.stringify(data)).toString('base64') };
  return { subscription: `projects/${localProject}/subscriptions/${subscription}`, message };
}

/** A trainer that takes everything. */
async function openTrainer(): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end('{"status":"accepted","credits":8}'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The system gave no port');
  return { server, url: `http://127.0.0.1:${address.port}` };
}

async function prepare(cloud: LocalCloud, declarationPath: string, trainerUrl: string): Promise<void> {
  const demo = new URL('../../../deploy/local/demo/', import.meta.url);
  const { declaration } = readDeclaration({
    file: 'penstock.yaml',
    text: readFileSync(new URL('penstock.yaml', demo), 'utf8'),
    env: { ...cloud.env, TRAINER_URL: trainerUrl },
    sections: ['spanner', 'kafka', 'pipelines', 'feeds'],
  });
  writeFileSync(declarationPath, JSON.stringify({ ...declaration, secrets: { [HOOK_KEY.name]: HOOK_KEY } }));
  const secrets = openSecretClient(cloud.env.SECRET_MANAGER_EMULATOR_HOST ?? '');
  await addSecret(secrets, HOOK_KEY.name);
  await secrets.close();
  const name = declaration.spanner.database;
  const [, project = '', , instance = '', , id = ''] = name.split('/');
  const spanner = new Spanner({ projectId: project });
  await createOnEmulator(spanner, name);
  const database = spanner.instance(instance).database(id);
  await migrate(database, readFileSync(new URL('tables.sql', demo), 'utf8'));
  await migrate(database, controlSchema);
  for await (const chunk of readFlights(FLIGHTS)) {
    const rows = chunk.map(({ id: key, ...event }) => peerRow(Buffer.from(key), Buffer.from(JSON.stringify(event))));
    await database.table('Flights').insert(rows);
  }
  await database.close();
  spanner.close();
  const brokers = [cloud.env.KAFKA_BROKERS ?? ''];
  await createTopic(brokers, { name: topic, partitions: 4, maxMessageBytes: 1024 * 1024 });
  await sendFlights(brokers, topic, readFlights(FLIGHTS), () => {});
  const pubsub = new PubSub({ projectId: project });
  await pubsub.topic(SHARD_TOPIC).create();
  await pubsub.close();
}
