import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { type PlannedEpoch, planEpoch } from '../../../functions/plan-epoch/plan-epoch.ts';
import { deliveryOfFeed } from '../../../functions/read-shard/delivery-of-feed.ts';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import { relieveEpoch } from '../../../functions/read-shard/relieve-epoch.ts';
import { openAccessTokens } from '../../../shared/adapters/identity/access-tokens.ts';
import { openShardJobs, type ShardJobs } from '../../../shared/adapters/pubsub/shard-jobs.ts';
import { openSpannerChannel, type SpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { cutShard } from '../../../shared/adapters/spanner/epochs/cut-shard.ts';
import { openEpochStore } from '../../../shared/adapters/spanner/epochs/epoch-store.ts';
import { pinSnapshot } from '../../../shared/adapters/spanner/epochs/pin-snapshot.ts';
import { openShardLeases } from '../../../shared/adapters/spanner/epochs/shard-leases.ts';
import { type OpenDatabase, openDatabase } from '../../../shared/adapters/spanner/open-database.ts';
import { PenstockError } from '../../../shared/base/errors.ts';
import { columnGuard } from '../../../shared/connect/column-guard.ts';
import { feedAct } from '../../../shared/model/approvals/feed-act.ts';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import type { Position } from '../../../shared/model/epochs/cut-block.ts';
import { type Versions, versionsOf } from '../../../shared/model/epochs/manifest.ts';
import { commandTokens } from '../command-tokens.ts';
import { epochProgress } from '../epoch-progress.ts';
import type { Output } from '../output.ts';
import { doOwn, type OwnAuthority, openOwnAuthority } from '../own-authority.ts';
import { plannedRows } from '../planned-rows.ts';
import { readConfig } from '../read-config.ts';
import { count } from '../screen.ts';

const SECTIONS = ['spanner', 'kafka', 'feeds'];
const LEASE_MS = 60_000;
const ROOM_MS = 1_800_000;
const POLL_MS = 500;
/** A shard that needs so long is shared with a reader that is free. */
const SPLIT_AFTER_MS = 60_000;

/** What `penstock epoch start` takes. */
export interface StartOptions {
  readonly config: string;
  readonly feed: string;
  readonly wait?: boolean;
  readonly here?: boolean;
  readonly readers: number;
  /** An earlier epoch, whose fitted transforms are taken; instead of the declared one. */
  readonly fitFrom?: string;
}

interface Session {
  readonly declaration: Declaration;
  readonly open: OpenDatabase;
  readonly channel: SpannerChannel;
  readonly versions: Versions;
  readonly signal: AbortSignal;
  readonly own: OwnAuthority | undefined;
}

/** Plans an epoch; its shards are read by the functions, or here. Prints its id as soon as it is planned. */
export async function startEpoch(options: StartOptions, output: Output): Promise<void> {
  const declared = await readConfig(options.config, SECTIONS);
  const declaration = withFit(declared.declaration, options);
  const feed = Object.hasOwn(declaration.feeds, options.feed) ? declaration.feeds[options.feed] : undefined;
  const own = await openOwnAuthority(declaration);
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());
  const open = openDatabase(declaration.spanner.database);
  const channel = openSpannerChannel(declaration.spanner.database, process.env);
  const session = { declaration, open, channel, versions: versionsOf(process.versions), signal: ending.signal, own };
  const jobs = options.here
    ? undefined
    : openShardJobs(process.env.PENSTOCK_SHARD_TOPIC ?? 'penstock-shards', projectOf(open));
  try {
    const run = () => plan(session, options.feed, jobs);
    const planned = feed ? await doOwn(declaration, own, feedAct(declaration, feed), run) : await run();
    output.progress(
      `${planned.epoch}: ${plannedRows(planned.manifest)} rows in ${planned.shards.length} shards at ${planned.manifest.readTimestamp}`,
    );
    if (options.here) await readHere(session, planned, options.readers, output);
    else if (options.wait) await waitUntilDelivered(session, planned.epoch, output);
    const progress = await epochProgress(open.database, planned.epoch);
    output.result({ ...progress, epoch: planned.epoch, isNew: planned.isNew }, planned.epoch);
  } finally {
    await jobs?.close();
    await open.close();
    channel.close();
  }
}

/** The error of a name that no epoch has. */
export function unknownEpoch(id: string): PenstockError {
  return new PenstockError(`There is no epoch ${JSON.stringify(id)}`, {
    code: 'NOT_FOUND',
    remedy: 'Start one: npx penstock epoch start FEED',
    retryable: false,
  });
}

function withFit(declaration: Declaration, { feed: name, fitFrom }: StartOptions): Declaration {
  const feed = Object.hasOwn(declaration.feeds, name) ? declaration.feeds[name] : undefined;
  if (fitFrom === undefined || !feed) return declaration;
  return { ...declaration, feeds: { ...declaration.feeds, [name]: { ...feed, fitFrom } } };
}

function plan(
  { declaration, open, channel, versions, signal, own }: Session,
  feed: string,
  jobs: ShardJobs | undefined,
): Promise<PlannedEpoch> {
  return planEpoch(
    declaration,
    feed,
    { nowMs: Date.now() },
    {
      store: openEpochStore(open.database),
      channel,
      pin: (wanted) => pinSnapshot(open.database, wanted),
      publish: jobs?.publish,
      identity: process.env.PENSTOCK_IDENTITY ?? 'laptop',
      versions,
      roomMs: ROOM_MS,
      signal,
      ...(own && { mayRead: columnGuard(declaration, own, own.asker) }),
    },
  );
}

/** Reads the shards in this process, so many at once. */
async function readHere(session: Session, planned: PlannedEpoch, readers: number, output: Output): Promise<void> {
  const { declaration, open, channel, versions, signal } = session;
  const owner = `${hostname()}/${process.pid}`;
  let rows = 0;
  const tools = {
    store: openEpochStore(open.database),
    leases: openShardLeases(open.database, { owner, leaseMs: LEASE_MS, clock: Date.now }),
    channel,
    trainerOf: deliveryOfFeed(declaration, {
      ids: commandTokens(process.env),
      access: openAccessTokens(),
      env: process.env,
    }),
    versions,
    clock: Date.now,
    renewWithinMs: LEASE_MS / 2,
    signal,
    onBatch: (batch: { readonly rows: number }) => {
      rows += batch.rows;
    },
  };
  const waiting = [...planned.shards];
  const relief = {
    ...tools,
    cut: (epoch: string, shard: number, at: Position) => cutShard(open.database, epoch, shard, at),
    splitAfterMs: SPLIT_AFTER_MS,
  };
  // Two that are free at once would both be given the same rest.
  let relieving: Promise<unknown> = Promise.resolve();
  const next = async (): Promise<number | undefined> => {
    if (waiting.length === 0) {
      relieving = relieving.then(async () => {
        if (waiting.length === 0) waiting.push(...(await relieveEpoch(planned.epoch, relief)));
      });
      await relieving;
    }
    return waiting.shift();
  };
  const work = async (): Promise<void> => {
    for (let shard = await next(); shard !== undefined; shard = await next()) {
      const outcome = await readShard(planned.epoch, shard, tools);
      if (outcome.status === 'stopped') throw stopped(planned.epoch);
      output.progress(`shard ${shard} ${outcome.status}  ${count(rows)} of ${plannedRows(planned.manifest)} rows`);
    }
  };
  await Promise.all(Array.from({ length: readers }, work));
}

function stopped(epoch: string): PenstockError {
  return new PenstockError(`Stopped before epoch ${epoch} was delivered; every shard's position is saved`, {
    code: 'STOPPED',
    remedy: 'Have it read by the functions, or start a new epoch',
    retryable: true,
  });
}

async function waitUntilDelivered({ open, signal }: Session, epoch: string, output: Output): Promise<void> {
  let last = '';
  while (!signal.aborted) {
    const progress = await epochProgress(open.database, epoch);
    if (progress?.state === 'delivered') return;
    if (progress?.state === 'failed') {
      throw new PenstockError(`Epoch ${epoch} failed: ${progress.error ?? 'a shard could not be read'}`, {
        code: 'EPOCH_FAILED',
        remedy: `Look at its shards: npx penstock epoch show ${epoch}`,
        retryable: false,
      });
    }
    const done = progress?.shards.filter(({ state }) => state === 'done').length ?? 0;
    const line = `${done} of ${progress?.shards.length ?? 0} shards delivered`;
    if (line !== last) output.progress(line);
    last = line;
    await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  throw stopped(epoch);
}

function projectOf({ name }: OpenDatabase): string {
  return process.env.GOOGLE_CLOUD_PROJECT ?? name.split('/')[1] ?? '';
}
