import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PubSub } from '@google-cloud/pubsub';
import type { Database } from '@google-cloud/spanner';
import { type TrainerProgress, trainerProgress } from '../../deploy/cli/demo/observe.ts';
import { query } from '../../deploy/cli/epoch-progress.ts';
import { identities } from '../../deploy/cli/stack/identities.ts';
import { openLocalDatabase } from '../../deploy/cli/stack/open-local-database.ts';
import { type RunningTrainer, runTrainer } from '../../deploy/cli/stack/run-trainer.ts';
import { subscribe } from '../../deploy/cli/stack/subscribe.ts';
import { type LocalCloud, openLocalCloud } from '../../deploy/local/cloud.ts';
import { type RunningFunction, runFunction } from '../../deploy/local/functions/run-function.ts';
import { localProject } from '../../deploy/local/project.ts';
import { readDeclaration } from '../../shared/model/config/read-declaration.ts';
import { type FrontDoor, openFrontDoor } from './front-door.ts';

const SHARD_TOPIC = 'penstock-shards';
const LEASE_MS = 1_500;

const TABLE = `
CREATE TABLE Flights (
  FlightId STRING(32) NOT NULL,
  DepartedAt TIMESTAMP NOT NULL,
  DelayMinutes INT64 NOT NULL,
  DistanceMiles INT64 NOT NULL,
  Origin STRING(3) NOT NULL,
  Destination STRING(3) NOT NULL,
) PRIMARY KEY (FlightId);`;

const DECLARATION = `
spanner: { database: "projects/\${GOOGLE_CLOUD_PROJECT}/instances/main/databases/chaos" }
feeds:
  delays:
    table: Flights
    transforms:
      hour: { column: DepartedAt, part: hour, zone: America/Chicago, oneHot: 24 }
      weekday: { column: DepartedAt, part: weekday, zone: America/Chicago, oneHot: 7 }
      distance: { column: DistanceMiles, normalise: mean-variance, fillNull: mean }
      origin: { column: Origin, vocabulary: { maxSize: 400, unknown: 1 } }
      destination: { column: Destination, vocabulary: { maxSize: 400, unknown: 1 } }
    label: { column: DelayMinutes, greaterThan: 15 }
    split: { by: FlightId, evaluate: 10% }
    batchRows: 16
    shards: 8
    seed: 7
    trainer: { url: "\${TRAINER_URL}" }
`;

export interface OpenShard {
  readonly epoch: string;
  readonly shard: number;
}

/** The laptop's cloud with a table, a trainer, a planner and several readers behind one address. */
export interface FeedRig {
  readonly cloud: LocalCloud;
  readonly database: Database;
  readonly databasePath: string;
  /** Where the trainer keeps what it took. */
  readonly trainerDir: string;
  /** After how long a silent reader loses its shard. */
  readonly leaseMs: number;
  readonly readers: readonly RunningFunction[];
  /** The one address of all readers. */
  readonly door: FrontDoor;
  /**
   * Kills a reader with -9; another is started in its place meanwhile.
   *
   * @returns false when it had ended before
   */
  killReader(reader: RunningFunction): Promise<boolean>;
  /** Stops a reader where it is: the door sends it nothing any more, and gives up on what it had. */
  freeze(reader: RunningFunction): void;
  /** Lets it go on as if nothing had been. */
  thaw(reader: RunningFunction): void;
  readonly frozen: ReadonlySet<RunningFunction>;
  killTrainer(): Promise<void>;
  killPlanner(): Promise<void>;
  /** Triggers the planner, as the scheduler does; the same tick is the same epoch. */
  plan(tick: string): Promise<{ readonly epoch: string; readonly readTimestamp: string }>;
  /** Who reads what now, by the leases: whose shard was written last is the last. */
  shardOwners(): Promise<readonly (OpenShard & { readonly pid: number })[]>;
  openShards(): Promise<readonly OpenShard[]>;
  /** Whether the trainer trains on an epoch of those that are watched. */
  isTraining(): Promise<boolean>;
  /** Epochs that `isTraining` asks for. */
  readonly watched: Set<string>;
  /** Sends a shard's message once more. */
  deliverAgain(epoch: string, shard: number): Promise<void>;
  trainerProgress(epoch: string): Promise<TrainerProgress | undefined>;
  close(): Promise<void>;
}

/**
 * Opens a cloud of its own with the feed's functions on it; the table is empty.
 *
 * @param options.dist bundles of plan-epoch and read-shard
 * @param options.pauseMs how long each shard message is held back before a reader has it
 */
export async function openFeedRig(options: {
  readonly dist: string;
  readonly readers: number;
  readonly pauseMs: () => number;
}): Promise<FeedRig> {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-chaos-'));
  const closers: (() => Promise<void>)[] = [async () => rmSync(dir, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const cloud = await openLocalCloud();
    closers.push(() => cloud.close());
    const trainerDir = join(dir, 'trainer');
    const startTrainer = (port?: number): Promise<RunningTrainer> =>
      runTrainer({
        dir: trainerDir,
        // Saved so often that kills fall into saves.
        env: { ...cloud.env, PENSTOCK_TRAINER_SAVE_EVERY_MS: '50' },
        callers: [identities.readShard, identities.dashboard],
        ...(port === undefined ? {} : { port }),
      });
    let trainer = await startTrainer();
    const trainerUrl = trainer.url;
    closers.push(async () => {
      trainer.kill('SIGKILL');
      await trainer.ended;
    });
    const { declaration } = readDeclaration({
      file: 'chaos.yaml',
      text: DECLARATION,
      env: { ...cloud.env, TRAINER_URL: trainerUrl },
      sections: ['spanner', 'feeds'],
    });
    const declarationPath = join(dir, 'declaration.json');
    writeFileSync(declarationPath, JSON.stringify(declaration));
    const databasePath = declaration.spanner.database;
    const database = await openLocalDatabase(cloud, databasePath, TABLE);
    closers.push(() => database.close().then(() => undefined));
    const pubsub = new PubSub({ projectId: localProject });
    closers.push(() => pubsub.close());

    const readers: RunningFunction[] = [];
    const frozen = new Set<RunningFunction>();
    const awake = (): string[] => readers.filter((reader) => !frozen.has(reader)).map(({ url }) => url);
    const door = await openFrontDoor(awake, options.pauseMs);
    closers.push(() => door.close());
    const environment = async (identity: string, caller: string): Promise<Record<string, string>> => ({
      ...cloud.env,
      PENSTOCK_DECLARATION: declarationPath,
      PENSTOCK_IDENTITY: identity,
      PENSTOCK_CALLERS: caller,
      PENSTOCK_SHARD_TOPIC: SHARD_TOPIC,
      PENSTOCK_LEASE_MS: String(LEASE_MS),
      GCE_METADATA_HOST: (await cloud.identity.openMetadataServer(identity)).host,
      METADATA_SERVER_DETECTION: 'assume-present',
      SPANNER_DISABLE_BUILTIN_METRICS: 'true',
      NODE_COMPILE_CACHE: join(dir, 'compile-cache'),
    });
    const readerEnv = await environment(identities.readShard, identities.push);
    const startReader = (): Promise<RunningFunction> =>
      runFunction({ name: 'read-shard', dist: options.dist, env: { ...readerEnv, PENSTOCK_AUDIENCE: door.url } });
    const plannerEnv = await environment(identities.planEpoch, identities.scheduler);
    const startPlanner = (): Promise<RunningFunction> =>
      runFunction({ name: 'plan-epoch', dist: options.dist, env: plannerEnv });
    let planner = await startPlanner();
    closers.push(() => killAll([planner]));
    closers.push(() => killAll(readers));
    for (let count = 0; count < options.readers; count++) readers.push(await startReader());
    await listen(door);
    const starting = new Set<Promise<void>>();
    closers.push(() => Promise.all(starting).then(() => undefined));
    const watched = new Set<string>();
    const askTrainer = async (epoch: string): Promise<TrainerProgress | undefined> => {
      const token = await cloud.identity.mintIdToken(identities.dashboard, trainerUrl);
      return await trainerProgress(trainerUrl, epoch, `Bearer ${token}`);
    };

    return {
      cloud,
      database,
      databasePath,
      trainerDir,
      leaseMs: LEASE_MS,
      readers,
      door,
      watched,
      async killReader(reader) {
        const place = readers.indexOf(reader);
        if (place < 0) return false;
        readers.splice(place, 1);
        reader.kill('SIGKILL');
        const isKilled = (await reader.ended) === 'SIGKILL';
        const started = startReader()
          // On a machine that is busy the start may take too long once.
          .catch(startReader)
          .then((next) => void readers.push(next))
          .finally(() => starting.delete(started));
        starting.add(started);
        return isKilled;
      },
      frozen,
      freeze(reader) {
        frozen.add(reader);
        reader.kill('SIGSTOP');
        door.cutOff(reader.url);
      },
      thaw(reader) {
        reader.kill('SIGCONT');
        frozen.delete(reader);
      },
      async killPlanner() {
        await killAll([planner]);
        planner = await startPlanner();
      },
      async killTrainer() {
        trainer.kill('SIGKILL');
        await trainer.ended;
        trainer = await startTrainer(Number(new URL(trainerUrl).port));
      },
      async plan(tick) {
        const token = await cloud.identity.mintIdToken(identities.scheduler, planner.audience);
        const headers = {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'idempotency-key': tick,
        };
        const answer = await fetch(planner.url, { method: 'POST', headers, body: '{"feed":"delays"}' });
        const text = await answer.text();
        if (answer.status !== 200) throw new Error(`plan-epoch answered ${answer.status}: ${text}`);
        const { epoch, readTimestamp }: { epoch: string; readTimestamp: string } = JSON.parse(text);
        return { epoch, readTimestamp };
      },
      async deliverAgain(epoch, shard) {
        await pubsub.topic(SHARD_TOPIC).publishMessage({ json: { epoch, shard } });
      },
      async shardOwners() {
        const sql =
          "SELECT EpochId, ShardId, LeaseOwner FROM PenstockShards WHERE State = 'reading' AND LeaseOwner IS NOT NULL ORDER BY UpdatedAt";
        const rows = await query(database, sql);
        // An owner is HOST/PID.
        return rows.map((row) => ({ ...shardOf(row), pid: Number(String(row.LeaseOwner).replace(/^.*\//, '')) }));
      },
      async openShards() {
        const sql = "SELECT EpochId, ShardId FROM PenstockShards WHERE State NOT IN ('done', 'failed')";
        return (await query(database, sql)).map(shardOf);
      },
      async isTraining() {
        const states = await Promise.all([...watched].map((epoch) => askTrainer(epoch).catch(() => undefined)));
        return states.some((progress) => progress?.state === 'training');
      },
      trainerProgress: askTrainer,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function shardOf(row: Readonly<Record<string, unknown>>): OpenShard {
  return { epoch: String(row.EpochId), shard: Number(row.ShardId) };
}

function listen(door: FrontDoor): Promise<void> {
  const push = { url: door.url, audience: door.url };
  return subscribe({ topic: SHARD_TOPIC, subscription: SHARD_TOPIC, push, caller: identities.push });
}

async function killAll(functions: readonly RunningFunction[]): Promise<void> {
  for (const one of functions) one.kill('SIGKILL');
  await Promise.all(functions.map(({ ended }) => ended));
}
