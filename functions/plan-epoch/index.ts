import { setFlagsFromString } from 'node:v8';
import { http } from '@google-cloud/functions-framework';
import { loadDeclaration } from '../../shared/adapters/declaration/load-declaration.ts';
import { installGracefulShutdown } from '../../shared/adapters/http/graceful.ts';
import { openAtRequest } from '../../shared/adapters/http/open-at-request.ts';
import { ownRequests } from '../../shared/adapters/http/own-requests.ts';
import { auditRefusals } from '../../shared/adapters/identity/audit-refusals.ts';
import { doorSettings, doorVerifier } from '../../shared/adapters/identity/door.ts';
import { openIdTokens } from '../../shared/adapters/identity/id-tokens.ts';
import { openShardJobs, type ShardJobs } from '../../shared/adapters/pubsub/shard-jobs.ts';
import { openApprovalStore } from '../../shared/adapters/spanner/approvals/approval-store.ts';
import { openSpannerChannel } from '../../shared/adapters/spanner/channel.ts';
import { openEpochStore } from '../../shared/adapters/spanner/epochs/epoch-store.ts';
import { pinSnapshot, type SnapshotWish } from '../../shared/adapters/spanner/epochs/pin-snapshot.ts';
import { openDatabase } from '../../shared/adapters/spanner/open-database.ts';
import { openTelemetry } from '../../shared/adapters/telemetry/open-telemetry.ts';
import { readEnvironment, text, wholeNumber } from '../../shared/base/environment.ts';
import { jsonLog } from '../../shared/base/log.ts';
import { openAuthority } from '../../shared/connect/authority.ts';
import { columnGuard } from '../../shared/connect/column-guard.ts';
import { doGuarded } from '../../shared/connect/second-person.ts';
import { serviceAsker } from '../../shared/model/access/asker.ts';
import { feedAct } from '../../shared/model/approvals/feed-act.ts';
import { versionsOf } from '../../shared/model/epochs/manifest.ts';
import { type PlanDoor, planHandler } from './handler.ts';
import { planEpoch } from './plan-epoch.ts';
import { tracePlan } from './trace-plan.ts';

// A machine with much memory lets garbage pile up: 257 MB at 200,000 rows, 210 MB with both.
setFlagsFromString('--optimize-for-size');
setFlagsFromString('--semi-space-growth-factor=1');

const settings = {
  ...doorSettings,
  project: text('GOOGLE_CLOUD_PROJECT', 'Set it to the project’s id'),
  topic: text('PENSTOCK_SHARD_TOPIC', 'Set it to the topic of shard jobs', 'penstock-shards'),
  identity: text('PENSTOCK_IDENTITY', 'Set it to this function’s service account', 'ask'),
  roomMs: wholeNumber('PENSTOCK_EPOCH_ROOM_MS', { min: 60_000, max: 604_800_000, fallback: 1_800_000 }),
};

/** Where the declaration was compiled by an older version. */
const APPROVAL_WITHIN_MS = 3_600_000;

const log = jsonLog('plan-epoch');
const refused = auditRefusals('plan-epoch', log);

async function open() {
  const given = readEnvironment(settings, process.env);
  const declaration = await loadDeclaration(process.env);
  const identity = given.identity === 'ask' ? await openIdTokens().email() : given.identity;
  const database = openDatabase(declaration.spanner.database);
  const channel = openSpannerChannel(declaration.spanner.database, process.env);
  const telemetry = await openTelemetry(process.env, 'plan-epoch', log);
  const jobs = openShardJobs(given.topic, given.project);
  const authority = await openAuthority(declaration, { door: 'plan-epoch', log });
  const withinMs = declaration.access?.approvalWithinMs ?? APPROVAL_WITHIN_MS;
  const secondPerson = { authority, approvals: openApprovalStore(database.database), log, withinMs };
  const tools = {
    store: openEpochStore(database.database),
    channel,
    pin: (wanted: SnapshotWish) => pinSnapshot(database.database, wanted),
    identity,
    versions: versionsOf(process.versions),
    roomMs: given.roomMs,
    signal: graceful.signal,
    mayRead: columnGuard(declaration, authority, serviceAsker(identity)),
  };
  const door: PlanDoor = {
    verify: doorVerifier(given, declaration),
    async plan(caller, name, tick, origin) {
      const feed = Object.hasOwn(declaration.feeds, name) ? declaration.feeds[name] : undefined;
      const run = () =>
        tracePlan(telemetry, { feed: name, origin }, (traceparent) => {
          const publish: ShardJobs['publish'] = (epoch, shards) => jobs.publish(epoch, shards, traceparent);
          return planEpoch(declaration, name, tick, { ...tools, publish });
        });
      if (feed) return await doGuarded(caller, feedAct(declaration, feed), secondPerson, run);
      authority.require(caller, 'trigger', { type: 'Feed', name });
      return await run();
    },
    nowMs: Date.now,
  };
  return {
    door,
    close: () => Promise.all([telemetry?.close(), jobs.close(), database.close(), Promise.resolve(channel.close())]),
  };
}

const opened = openAtRequest(open);
const graceful = installGracefulShutdown(opened.close);
const handle = planHandler(async () => (await opened.open()).door, { log, refused });

ownRequests();
http('plan-epoch', graceful.wrap(handle));
