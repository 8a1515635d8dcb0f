import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openSpannerServer } from '../../../deploy/local/spanner/server.ts';
import { type Announcement, readAnnouncement } from '../../../deploy/local/trainer/announcement.ts';
import { checkBatch } from '../../../deploy/local/trainer/check-batch.ts';
import { checkContentDigest } from '../../../deploy/local/trainer/content-digest.ts';
import { type PlanTools, planEpoch } from '../../../functions/plan-epoch/plan-epoch.ts';
import type { ReadTools } from '../../../functions/read-shard/read-shard.ts';
import { openSpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { openEpochStore } from '../../../shared/adapters/spanner/epochs/epoch-store.ts';
import { pinSnapshot } from '../../../shared/adapters/spanner/epochs/pin-snapshot.ts';
import { openShardLeases } from '../../../shared/adapters/spanner/epochs/shard-leases.ts';
import { trainerClient } from '../../../shared/adapters/trainer/trainer-client.ts';
import type { Feed } from '../../../shared/model/config/declaration.ts';
import { versionsOf } from '../../../shared/model/epochs/manifest.ts';
import { openTestDatabase } from '../../shared/adapters/spanner/test-database.ts';
import { plainDeclaration } from '../../shared/model/config/plain-pipeline.ts';

/** A trainer that keeps what it was sent, after the checks of the laptop's trainer. */
export interface RecordingTrainer {
  readonly url: string;
  /** By `shard/sequence`. */
  readonly batches: ReadonlyMap<string, Buffer>;
  readonly duplicates: string[];
  readonly ends: string[];
  announcement: Announcement | undefined;
  /** That each answer gives; 8 unless a test sets it. */
  credits: number;
  /** Makes room for another epoch. */
  forget(): void;
  /** Called before each batch is answered; may answer itself and return true. */
  beforeBatch: (place: string, response: ServerResponse) => boolean | Promise<boolean>;
  close(): Promise<void>;
}

const SHARD_PATH = /^\/v1\/epochs\/([^/]+)\/shards\/(\d+)\/(?:batches\/(\d+)|end)$/;

export async function openRecordingTrainer(): Promise<RecordingTrainer> {
  const batches = new Map<string, Buffer>();
  const duplicates: string[] = [];
  const ends: string[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<object> => {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
    const path = request.url ?? '';
    const [, epoch = '', shard = '', sequence] = SHARD_PATH.exec(path) ?? [];
    if (path.endsWith('/end')) {
      ends.push(`${path.replace(/^.*?epochs\/[^/]+\//, '')} ${body}`);
      return {};
    }
    if (sequence === undefined) {
      const announcement = readAnnouncement(body);
      if (trainer.announcement && trainer.announcement.canonical !== announcement.canonical)
        throw new Error('announced otherwise');
      trainer.announcement = announcement;
      return {};
    }
    const place = `${shard}/${sequence}`;
    if (await trainer.beforeBatch(place, response)) return {};
    const digest = checkContentDigest(String(request.headers['content-digest']), body);
    if (digest === '' || !trainer.announcement) throw new Error('not announced');
    checkBatch(body, trainer.announcement, { epoch, shard: Number(shard), sequence: Number(sequence) });
    const known = batches.get(place);
    if (known && !known.equals(body)) throw new Error(`batch ${place} came with other bytes`);
    if (known) duplicates.push(place);
    batches.set(place, body);
    return { status: known ? 'duplicate' : 'accepted', credits: trainer.credits };
  };
  const server = createServer((request, response) => {
    answer(request, response).then(
      (body) => {
        if (!response.writableEnded) response.end(JSON.stringify(body));
      },
      (error: unknown) => {
        response.statusCode = 422;
        response.end(JSON.stringify({ detail: String(error) }));
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const trainer: RecordingTrainer = {
    url: `http://127.0.0.1:${port}`,
    batches,
    duplicates,
    ends,
    announcement: undefined,
    credits: 8,
    beforeBatch: () => false,
    forget() {
      batches.clear();
      duplicates.length = 0;
      ends.length = 0;
      trainer.announcement = undefined;
      trainer.credits = 8;
      trainer.beforeBatch = () => false;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return trainer;
}

export const rowCount = 3_000;

/** A database with flights, the control tables and one feed, and all that planning and reading take. */
export async function openFeedStage() {
  const server = await openSpannerServer();
  const sql =
    (await readFile('deploy/gcp/schema.sql', 'utf8')) + (await readFile('deploy/local/demo/tables.sql', 'utf8'));
  const statements = sql
    .replace(/--.*$/gm, '')
    .split(';')
    .map((text) => text.trim())
    .filter((text) => text !== '');
  const opened = await openTestDatabase(server.address, statements);
  await opened.database.table('Flights').insert(Array.from({ length: rowCount }, (_, row) => flight(row)));
  const channel = openSpannerChannel(opened.name, opened.env);
  const store = openEpochStore(opened.database);
  const published: string[] = [];
  const trainer = await openRecordingTrainer();
  let nowMs = 1_000_000;
  const versions = versionsOf(process.versions);
  const planTools: PlanTools = {
    store,
    channel,
    pin: (wanted) => pinSnapshot(opened.database, wanted),
    publish: async (epoch, shards) => {
      for (const shard of shards) published.push(`${epoch}/${shard}`);
    },
    identity: 'planner@test',
    versions,
    roomMs: 60_000,
    signal: new AbortController().signal,
  };
  const readTools = (owner: string, signal: AbortSignal = new AbortController().signal): ReadTools => ({
    store,
    leases: openShardLeases(opened.database, { owner, leaseMs: 10_000, clock: () => nowMs }),
    channel,
    trainerOf: (_, stop) => trainerClient({ url: trainer.url, authorization: async () => 'Bearer t', signal: stop }),
    versions,
    clock: () => nowMs,
    renewWithinMs: 5_000,
    signal,
  });
  return {
    ...opened,
    server,
    trainer,
    store,
    published,
    planTools,
    readTools,
    plan: (key: string, planned: Feed = feed) =>
      planEpoch({ ...declaration, feeds: { delays: planned } }, 'delays', { idempotencyKey: key, nowMs }, planTools),
    turnClock(ms: number) {
      nowMs += ms;
    },
    async close() {
      channel.close();
      await trainer.close();
      await opened.close();
      await server.close();
    },
  };
}

export function flight(row: number): Record<string, unknown> {
  return {
    FlightId: `f${String(row).padStart(6, '0')}`,
    DepartedAt: new Date(Date.UTC(2001, 0, 1) + row * 600_000).toISOString(),
    DelayMinutes: ((row * 7) % 60) - 10,
    DistanceMiles: row,
    Origin: ['ORD', 'SFO', 'JFK'][row % 3],
    Destination: ['ATL', 'DFW'][row % 2],
  };
}

export const feed: Feed = {
  name: 'delays',
  table: 'Flights',
  transforms: [
    { tensor: 'row', column: 'DistanceMiles', kind: 'cast', as: 'int32', fillNull: undefined },
    { tensor: 'hour', column: 'DepartedAt', kind: 'part', part: 'hour', zone: 'America/Chicago', oneHot: 24 },
    { tensor: 'distance', column: 'DistanceMiles', kind: 'normalise', method: 'mean-variance', fillNull: 'mean' },
    { tensor: 'origin', column: 'Origin', kind: 'vocabulary', maxSize: 400, unknown: 1 },
  ],
  label: { column: 'DelayMinutes', greaterThan: 15 },
  split: { by: 'FlightId', evaluateShare: 0.1 },
  batchRows: 32,
  shards: 4,
  shardRows: undefined,
  seed: 7,
  schedule: undefined,
  trainer: { url: 'http://127.0.0.1:1', audience: 'a' },
};

export const declaration = plainDeclaration({ spanner: { database: 'unused' }, feeds: { delays: feed } });
