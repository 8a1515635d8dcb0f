import { hostname } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { http } from '@google-cloud/functions-framework';
import { loadDeclaration } from '../../shared/adapters/declaration/load-declaration.ts';
import { installGracefulShutdown } from '../../shared/adapters/http/graceful.ts';
import { openAtRequest } from '../../shared/adapters/http/open-at-request.ts';
import { ownRequests } from '../../shared/adapters/http/own-requests.ts';
import { openAccessTokens } from '../../shared/adapters/identity/access-tokens.ts';
import { auditRefusals } from '../../shared/adapters/identity/audit-refusals.ts';
import { doorSettings, doorVerifier } from '../../shared/adapters/identity/door.ts';
import { openIdTokens } from '../../shared/adapters/identity/id-tokens.ts';
import { subscriptionPath } from '../../shared/adapters/pubsub/push-subscription.ts';
import { openShardJobs } from '../../shared/adapters/pubsub/shard-jobs.ts';
import { openSpannerChannel } from '../../shared/adapters/spanner/channel.ts';
import { cutShard } from '../../shared/adapters/spanner/epochs/cut-shard.ts';
import { openEpochStore } from '../../shared/adapters/spanner/epochs/epoch-store.ts';
import { openShardLeases } from '../../shared/adapters/spanner/epochs/shard-leases.ts';
import { openDatabase } from '../../shared/adapters/spanner/open-database.ts';
import { openTelemetry } from '../../shared/adapters/telemetry/open-telemetry.ts';
import { type ReadingOf, watchReading } from '../../shared/adapters/telemetry/watch-reading.ts';
import { readEnvironment, text, wholeNumber } from '../../shared/base/environment.ts';
import { jsonLog } from '../../shared/base/log.ts';
import { openAuthority } from '../../shared/connect/authority.ts';
import { columnGuard } from '../../shared/connect/column-guard.ts';
import { serviceAsker } from '../../shared/model/access/asker.ts';
import type { Position } from '../../shared/model/epochs/cut-block.ts';
import { versionsOf } from '../../shared/model/epochs/manifest.ts';
import { writeTraceparent } from '../../shared/model/events/records/trace-context.ts';
import { deliveryOfFeed } from './delivery-of-feed.ts';
import { type ReadDoor, readHandler } from './handler.ts';
import { readShard } from './read-shard.ts';
import { relieveEpoch } from './relieve-epoch.ts';
import { shardSlots } from './shard-slots.ts';

// A machine with much memory lets garbage pile up: 310 MB at 200,000 rows, about 200 MB with this.
setFlagsFromString('--optimize-for-size');

const log = jsonLog('read-shard');
const refused = auditRefusals('read-shard', log);

const settings = {
  ...doorSettings,
  project: text('GOOGLE_CLOUD_PROJECT', 'Set it to the project’s id'),
  topic: text('PENSTOCK_SHARD_TOPIC', 'Set it to the topic of shard jobs', 'penstock-shards'),
  subscription: text('PENSTOCK_SHARD_SUBSCRIPTION', 'Set it to the push subscription', 'penstock-shards'),
  identity: text('PENSTOCK_IDENTITY', 'Set it to this function’s service account', 'ask'),
  deadlineMs: wholeNumber('PENSTOCK_SHARD_DEADLINE_MS', { min: 1_000, max: 590_000, fallback: 540_000 }),
  // Two at once keep the process below 250 MB: each holds a 16 MiB window and its blocks.
  concurrency: wholeNumber('PENSTOCK_SHARD_CONCURRENCY', { min: 1, max: 64, fallback: 2 }),
  leaseMs: wholeNumber('PENSTOCK_LEASE_MS', { min: 1_000, max: 600_000, fallback: 60_000 }),
  splitAfterMs: wholeNumber('PENSTOCK_SPLIT_AFTER_MS', { min: 1_000, max: 604_800_000, fallback: 60_000 }),
};

async function open() {
  const given = readEnvironment(settings, process.env);
  const declaration = await loadDeclaration(process.env);
  const database = openDatabase(declaration.spanner.database);
  const ids = openIdTokens();
  const identity = given.identity === 'ask' ? await ids.email() : given.identity;
  const channel = openSpannerChannel(declaration.spanner.database, process.env);
  const telemetry = await openTelemetry(process.env, 'read-shard', log);
  const jobs = openShardJobs(given.topic, given.project);
  const authority = await openAuthority(declaration, { door: 'read-shard', log });
  const mayRead = columnGuard(declaration, authority, serviceAsker(identity));
  const tools = {
    store: openEpochStore(database.database),
    leases: openShardLeases(database.database, {
      owner: `${hostname()}/${process.pid}`,
      leaseMs: given.leaseMs,
      clock: Date.now,
    }),
    channel,
    trainerOf: deliveryOfFeed(declaration, { ids, access: openAccessTokens(), env: process.env }),
    versions: versionsOf(process.versions),
    clock: Date.now,
    access: { identity, log },
    renewWithinMs: given.leaseMs / 2,
  };
  const relief = {
    ...tools,
    cut: (epoch: string, shard: number, at: Position) => cutShard(database.database, epoch, shard, at),
    splitAfterMs: given.splitAfterMs,
  };
  const slots = shardSlots(given.concurrency);
  const door: ReadDoor = {
    subscription: subscriptionPath(given.subscription, given.project),
    verify: doorVerifier(given, declaration),
    read: (epoch, shard, { signal, caller, origin }) =>
      slots(signal, () =>
        readShard(epoch, shard, {
          ...tools,
          signal,
          ...(telemetry && { watch: (of: ReadingOf) => watchReading(telemetry, of, origin) }),
          admit: ({ plan }) => {
            authority.require(caller, 'trigger', { type: 'Feed', name: plan.feed });
            mayRead({ name: plan.feed }, plan);
          },
        }),
      ),
    handOn: (epoch, shard, origin) => jobs.publish(epoch, [shard], origin && writeTraceparent(origin)),
    relieve: async (epoch, signal, origin) => {
      const shards = await relieveEpoch(epoch, { ...relief, signal });
      await jobs.publish(epoch, shards, origin && writeTraceparent(origin));
    },
    nowMs: Date.now,
    deadlineMs: given.deadlineMs,
    ending: graceful.signal,
  };
  return {
    door,
    close: () => Promise.all([telemetry?.close(), jobs.close(), database.close(), Promise.resolve(channel.close())]),
  };
}

const opened = openAtRequest(open);
const graceful = installGracefulShutdown(opened.close);
const handle = readHandler(async () => (await opened.open()).door, { log, refused });

ownRequests();
http('read-shard', graceful.wrap(handle));
