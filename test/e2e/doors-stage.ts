import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import type { JWTPayload } from 'jose';
import { localProject } from '../../deploy/local/project.ts';
import { type Door, type DoorName, type DoorsRig, doors, openDoorsRig, type RunningDoor } from './doors-rig.ts';

export const doorNames = Object.keys(doors).filter((name): name is DoorName => name in doors);
/** Those that take a body. */
export const postedDoors = doorNames.filter((name) => name !== 'dashboard');
/** Those that take nothing for the schedule's tick. */
export const tickedDoors: readonly DoorName[] = ['kafka-sink', 'rotate-secrets'];

/** The subscription that each takes pushes of. */
export const subscriptions: Partial<Record<DoorName, string>> = {
  'pubsub-sink': 'airports',
  'read-shard': 'penstock-shards',
  'rotate-secrets': 'penstock-rotations',
};

/** What gives away how a function is made: traces, paths, markup of the framework. */
export const leaks = /node_modules|\bat \S+ \(|<pre|\.js:\d+|\/(work|home|tmp|workspace|usr)\//i;

/** What a test sends; JSON with a good token unless told otherwise. */
export interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly path?: string;
}

/** Every function that listens, with its door open, for as long as the tests of a file run. */
export interface DoorsStage {
  readonly rig: DoorsRig;
  readonly doorOf: (name: DoorName) => RunningDoor;
  readonly bearer: (door: Door, claims?: JWTPayload) => Promise<string>;
  readonly post: (door: Door, sent?: Sent) => Promise<Response>;
  /** A good request is answered as ever: the function was not harmed. */
  readonly stillServes: (name: DoorName) => Promise<void>;
  readonly nothingWasDone: () => Promise<void>;
}

/** Sets the stage before the tests of the file that calls it; what it gives can be used in them. */
export function doorsStage(): DoorsStage {
  let rig: DoorsRig | undefined;
  let rowsAtStart = 0;
  const open = new Map<DoorName, RunningDoor>();
  const rigOf = (): DoorsRig => {
    assert.ok(rig, 'the rig is not open');
    return rig;
  };
  const doorOf = (name: DoorName): RunningDoor => {
    const door = open.get(name);
    assert.ok(door);
    return door;
  };
  const bearer = async ({ caller, audience }: Door, claims: JWTPayload = {}): Promise<string> =>
    `Bearer ${await rigOf().cloud.identity.mintIdToken(caller, audience, claims)}`;
  const post: DoorsStage['post'] = async (door, { headers = {}, body = '{}', path = '/' } = {}) =>
    fetch(`${door.url}${path}`, {
      method: 'POST',
      headers: { authorization: await bearer(door), 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : new Uint8Array(body),
    });
  const stillServes = async (name: DoorName): Promise<void> => {
    const door = doorOf(name);
    if (name === 'dashboard') {
      const headers = { authorization: await bearer(door) };
      assert.equal((await fetch(`${door.url}/api/pipelines`, { headers })).status, 200);
    } else if (tickedDoors.includes(name)) {
      assert.deepEqual((await post(door, { body: '' })).status, 200);
    } else if (name === 'pubsub-sink') {
      // The same message each time, so that it is written once.
      const good = push('airports', JSON.stringify({ iata: 'ORD', name: 'O’Hare' }), 'good');
      assert.equal((await post(door, { body: good })).status, 204);
    } else {
      // What is asked for is not there, and that is said from behind the door.
      const body = name === 'read-shard' ? push('penstock-shards', '{"epoch":"none","shard":0}') : '{"feed":"none"}';
      await isProblem(await post(door, { body }), 404, name);
    }
  };
  before(async () => {
    const opened = await openDoorsRig();
    rig = opened;
    await Promise.all(doorNames.map(async (name) => open.set(name, await opened.start(name))));
    await stillServes('pubsub-sink');
    rowsAtStart = await opened.writtenRows();
  });
  after(() => rig?.close());
  return {
    get rig() {
      return rigOf();
    },
    doorOf,
    bearer,
    post,
    stillServes,
    async nothingWasDone() {
      assert.ok(rowsAtStart > 0);
      assert.equal(await rigOf().writtenRows(), rowsAtStart);
    },
  };
}

/** An answer of problem details that gives nothing away. */
export async function isProblem(answer: Response, status: number, what: string): Promise<void> {
  const body = await answer.text();
  assert.equal(answer.status, status, `${what}: ${body}`);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/, what);
  assert.doesNotMatch(body, leaks, what);
  const problem: unknown = JSON.parse(body);
  assert.ok(typeof problem === 'object' && problem !== null && 'detail' in problem && 'status' in problem, what);
  assert.equal(problem.status, status);
}

/** What Pub/Sub pushes. */
export function push(subscription: string, data: string, messageId = '1', attributes?: object): string {
  const publishTime = '2026-01-02T03:04:05.678Z';
  const message = { messageId, data: Buffer.from(data).toString('base64'), publishTime, attributes };
  return JSON.stringify({ message, subscription: `projects/${localProject}/subscriptions/${subscription}` });
}

/** What Secret Manager publishes when a secret is to rotate, as it is pushed. */
export function rotationPush(subscription: string, secret: string, at = '2026-12-01T00:00:00Z'): string {
  const secretId = `projects/1/secrets/${secret}`;
  const data = JSON.stringify({ name: secretId, rotation: { nextRotationTime: at } });
  return push(subscription, data, '1', { eventType: 'SECRET_ROTATE', secretId });
}
