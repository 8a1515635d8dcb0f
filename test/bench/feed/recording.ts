import { createWriteStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { type Database, protos, Spanner } from '@google-cloud/spanner';
import { readFlights } from '../../../deploy/cli/demo/flights.ts';
import { controlSchema, createOnEmulator, migrate } from '../../../deploy/gcp/migrate.ts';
import { planEpoch } from '../../../functions/plan-epoch/plan-epoch.ts';
import { openSpannerChannel, type SpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { openEpochStore } from '../../../shared/adapters/spanner/epochs/epoch-store.ts';
import { pinSnapshot } from '../../../shared/adapters/spanner/epochs/pin-snapshot.ts';
import type { Declaration, Feed } from '../../../shared/model/config/declaration.ts';
import { readDeclaration } from '../../../shared/model/config/read-declaration.ts';
import { type Manifest, versionsOf } from '../../../shared/model/epochs/manifest.ts';
import { peerRow } from '../ingest/peer-row.ts';
import { grpcFrame } from './grpc-frame.ts';

const { ReadRequest } = protos.google.spanner.v1;

/** What a replay needs. */
export interface Recording {
  /** The PartialResultSets as gRPC frames, one after the other. */
  readonly frames: string;
  /** The manifest of an epoch of one shard over all rows. */
  readonly manifest: string;
}

/**
 * Loads real flights into the laptop's Spanner, plans the demo's feed over them as one shard, and records the messages
 * of its StreamingRead as they came.
 */
export async function record(env: Readonly<Record<string, string>>, rows: number, dir: string): Promise<Recording> {
  Object.assign(process.env, env, { METADATA_SERVER_DETECTION: 'none' });
  const project = env.GOOGLE_CLOUD_PROJECT ?? '';
  const spanner = new Spanner({ projectId: project });
  const name = `projects/${project}/instances/bench/databases/feed`;
  await createOnEmulator(spanner, name);
  const database = spanner.instance('bench').database('feed');
  const channel = openSpannerChannel(name, env);
  try {
    await load(database, rows);
    const manifest = await plan(database, channel, env);
    const recording = { frames: join(dir, 'frames.bin'), manifest: join(dir, 'manifest.json') };
    await writeFile(recording.manifest, JSON.stringify(manifest));
    await recordRead(channel, manifest, recording.frames);
    return recording;
  } finally {
    channel.close();
    await database.close();
    spanner.close();
  }
}

async function load(database: Database, rows: number): Promise<void> {
  await migrate(database, await readFile(new URL('../../../deploy/local/demo/tables.sql', import.meta.url), 'utf8'));
  await migrate(database, controlSchema);
  const table = database.table('Flights');
  for await (const chunk of readFlights(rows)) {
    await table.insert(chunk.map(({ id, ...event }) => peerRow(Buffer.from(id), Buffer.from(JSON.stringify(event)))));
  }
}

async function plan(
  database: Database,
  channel: SpannerChannel,
  env: Readonly<Record<string, string>>,
): Promise<Manifest> {
  const declaration = await demoDeclaration(env);
  const { manifest } = await planEpoch(
    declaration,
    'delays',
    { idempotencyKey: 'bench', nowMs: Date.now() },
    {
      store: openEpochStore(database),
      channel,
      pin: (wanted) => pinSnapshot(database, wanted),
      publish: undefined,
      identity: 'planner@bench',
      versions: versionsOf(process.versions),
      roomMs: 60_000,
      signal: new AbortController().signal,
    },
  );
  return manifest;
}

/** The demo's feed, in one shard. */
async function demoDeclaration(env: Readonly<Record<string, string>>): Promise<Declaration> {
  const { declaration } = readDeclaration({
    file: 'penstock.yaml',
    text: await readFile(new URL('../../../deploy/local/demo/penstock.yaml', import.meta.url), 'utf8'),
    env: { ...env, TRAINER_URL: 'http://127.0.0.1:1' },
    sections: ['spanner', 'kafka', 'pipelines', 'feeds'],
  });
  const feed: Feed | undefined = declaration.feeds.delays;
  if (!feed) throw new Error('The demo has no feed named delays');
  return { ...declaration, feeds: { delays: { ...feed, shards: 1, shardRows: undefined } } };
}

async function recordRead(channel: SpannerChannel, { plan: { table, columns } }: Manifest, path: string) {
  const session = await channel.session();
  const request = ReadRequest.encode({ session, table, columns: [...columns], keySet: { all: true } }).finish();
  const file = createWriteStream(path);
  for await (const message of channel.stream('StreamingRead', request, { session }) as AsyncIterable<Buffer>) {
    file.write(grpcFrame(message));
  }
  file.end();
  await finished(file);
}
