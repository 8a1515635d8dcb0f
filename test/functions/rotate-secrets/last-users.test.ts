import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { localProject } from '../../../deploy/local/project.ts';
import { openSecretCache, type SecretCache } from '../../../shared/adapters/secrets/open-secret-cache.ts';
import { openSpannerChannel, type SpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { listSecretUsers } from '../../../shared/adapters/spanner/rotations/secret-users.ts';
import { type Log, noLog } from '../../../shared/base/log.ts';
import { openSecretReports, type SecretReports } from '../../../shared/connect/report-secret-uses.ts';
import { silentMs } from '../../../shared/model/rotation/last-users.ts';
import { kafkaSink, openRotationStage, type RotationStage } from './rotation-stage.ts';

const { name } = kafkaSink;
const HOUR_MS = 3_600_000;

let stage: RotationStage;
let channel: SpannerChannel;
before(async () => {
  stage = await openRotationStage();
  channel = openSpannerChannel(stage.declaration.spanner.database, process.env);
});
after(async () => {
  channel.close();
  await stage[Symbol.asyncDispose]();
});

/** A process with a cache of secrets, as the sinks have one. */
interface Process {
  readonly cache: SecretCache;
  readonly reports: SecretReports;
  [Symbol.asyncDispose](): Promise<void>;
}

function openProcess(owner: string): Process {
  const reports = openSecretReports({ owner, rotating: new Set([name]), log: noLog });
  const { onVersion } = reports;
  const cache = openSecretCache({ projectId: localProject, clock: () => stage.nowMs, onVersion });
  reports.start(cache, channel);
  return {
    cache,
    reports,
    async [Symbol.asyncDispose]() {
      await reports.stop();
      await cache.close();
    },
  };
}

async function seenWith(owner: string): Promise<number | undefined> {
  const users = await listSecretUsers(stage.database, name);
  return users.find(({ holder }) => holder.startsWith(owner))?.version;
}

async function untilSeenWith(owner: string, version: number): Promise<void> {
  const deadline = Date.now() + 60_000;
  while ((await seenWith(owner)) !== version) assert.ok(Date.now() < deadline, `${owner} is not seen with ${version}`);
}

/** Rows carry the database's time, which is the machine's: the stage's time stays near it. */
const passed = (ms: number): void => {
  stage.nowMs += ms;
};

const times = { ...kafkaSink, overlapMs: 1_000, waitForUsersMs: 60_000 };
const declared = () => ({ ...stage.declaration, secrets: { [name]: times } });
const ask = (id: string, now = false) => ({ secret: name, id, kind: 'rotate' as const, now });

test('an old version stays as long as a process is seen with it, and goes when that one has read the new one', async () => {
  await using sink = openProcess('sink-one');
  const { version = '' } = await sink.cache.read(name);
  await untilSeenWith('sink-one', Number(version));
  const rotator = stage.openRotator({ declaration: declared() });
  await rotator.rotate(ask('first'), 'test');
  passed(2_000);
  const [waiting] = await rotator.tick('test');
  assert.equal(waiting?.error, undefined);
  assert.deepEqual(await stage.states(), ['ENABLED', 'ENABLED'], 'it is past its overlap, and lives');
  assert.deepEqual(await stage.scram.users(), ['admin', 'sink-a', 'sink-b']);
  const { rotations } = await rotator.look(name);
  assert.match(rotations[0]?.reason ?? '', /version 1 is still used by sink-one.*; waits until 20/);

  passed(10_000);
  await sink.cache.read(name, { fresh: true });
  await untilSeenWith('sink-one', 2);
  await rotator.tick('test');
  assert.deepEqual(await stage.states(), ['DISABLED', 'ENABLED']);
  assert.equal((await rotator.look(name)).rotations[0]?.reason, undefined);
});

test('an old version is taken from who does not follow within the time, and log, result and audit say from whom', async () => {
  await using sink = openProcess('sink-deaf');
  await sink.cache.read(name);
  await untilSeenWith('sink-deaf', 2);
  const lines: { severity: string; message: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const log: Log = (severity, message, fields = {}) => void lines.push({ severity, message, fields });
  const rotator = stage.openRotator({ declaration: declared(), log });
  await rotator.rotate(ask('second'), 'test');
  passed(1_000 + times.waitForUsersMs);
  const [outcome] = await rotator.tick('test');
  assert.match(outcome?.rotations[0]?.reason ?? '', /version 2 was taken away from sink-deaf/);
  assert.deepEqual(await stage.states(), ['DISABLED', 'DISABLED', 'ENABLED']);
  const named = (found: unknown): boolean => Array.isArray(found) && String(found[0]).startsWith('sink-deaf');
  assert.ok(lines.some(({ severity, fields }) => severity === 'WARNING' && named(fields.stillUsedBy)));
  assert.ok(lines.some(({ fields }) => fields.action === 'secret.revoke' && named(fields.stillUsedBy)));
});

test('a process that died holds nothing up when it has been silent for long, and a leaked value waits for nobody', async () => {
  {
    await using sink = openProcess('sink-dead');
    await sink.cache.read(name);
    await untilSeenWith('sink-dead', 3);
  }
  const patient = { [name]: { ...times, waitForUsersMs: HOUR_MS } };
  const rotator = stage.openRotator({ declaration: { ...stage.declaration, secrets: patient } });
  await rotator.rotate(ask('third'), 'test');
  passed(2_000);
  await rotator.tick('test');
  assert.equal((await stage.states()).at(2), 'ENABLED');
  passed(silentMs);
  await rotator.tick('test');
  assert.equal((await stage.states()).at(2), 'DISABLED');

  stage.nowMs = Date.now() + 2_000;
  await using sink = openProcess('sink-alive');
  await sink.cache.read(name);
  await untilSeenWith('sink-alive', 4);
  const { rotation } = await rotator.rotate(ask('leaked', true), 'test');
  assert.equal(rotation.step, 'destroy');
  assert.equal((await stage.states()).at(3), 'DISABLED');
});

test('a leaked value ends also where an earlier rotation still waits for its users', async () => {
  stage.nowMs = Date.now() + 4_000;
  await using sink = openProcess('sink-slow');
  await sink.cache.read(name);
  await untilSeenWith('sink-slow', 5);
  const patient = { [name]: { ...times, waitForUsersMs: HOUR_MS } };
  const rotator = stage.openRotator({ declaration: { ...stage.declaration, secrets: patient } });
  await rotator.rotate(ask('slow'), 'test');
  passed(2_000);
  await rotator.tick('test');
  assert.equal((await stage.states()).at(4), 'ENABLED');
  const { rotation } = await rotator.rotate(ask('leaked-again', true), 'test');
  assert.equal(rotation.step, 'destroy');
  assert.deepEqual((await stage.states()).slice(4), ['DISABLED', 'DISABLED', 'ENABLED']);
});

test('a report that cannot be written disturbs nobody who reads', async () => {
  const said: string[] = [];
  const log: Log = (severity, message) => void said.push(`${severity} ${message}`);
  const nowhere = openSpannerChannel('projects/p/instances/i/databases/nowhere', process.env);
  const reports = openSecretReports({ owner: 'x', rotating: new Set([name]), log });
  const cache = openSecretCache({ projectId: localProject, onVersion: reports.onVersion });
  reports.start(cache, nowhere);
  assert.ok((await cache.read(name)).text());
  await reports.stop();
  await cache.close();
  nowhere.close();
  assert.match(said.join(), /INFO Which version of secret kafka-sink is in use could not be reported/);
});
