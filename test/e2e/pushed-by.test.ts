import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { PubSub, type Topic } from '@google-cloud/pubsub';
import { localProject } from '../../deploy/local/project.ts';
import { openDeadline } from '../../shared/base/deadline.ts';
import { type Door, type DoorsRig, openDoorsRig } from './doors-rig.ts';
import { push } from './doors-stage.ts';

const account = (name: string): string => `${name}@${localProject}.iam.gserviceaccount.com`;
const own = account('push-airports');
/** May call the function as well: it pushes another pipeline's subscription. */
const other = account('push-runways');
const DEADLINE_MS = 120_000;

let rig: DoorsRig;
let door: Door;
let pubsub: PubSub;
let gate: Server;
/** Is told each answer that the function gave to a push, by the subscription's name. */
const answers = new EventEmitter();

before(async () => {
  rig = await openDoorsRig();
  const declaration = JSON.parse(readFileSync(rig.declarationPath, 'utf8'));
  declaration.pipelines.airports.source.pushedBy = own;
  const path = `${rig.declarationPath}.pushed.json`;
  writeFileSync(path, JSON.stringify(declaration));
  door = await rig.start('pubsub-sink', { PENSTOCK_DECLARATION: path, PENSTOCK_CALLERS: `${own},${other}` });
  gate = createServer(passOn).listen(0, '127.0.0.1');
  await once(gate, 'listening');
  process.env.PUBSUB_EMULATOR_HOST = rig.cloud.env.PUBSUB_EMULATOR_HOST;
  pubsub = new PubSub({ projectId: localProject });
});
after(async () => {
  await pubsub?.close();
  await rig?.close();
  gate?.closeAllConnections();
  gate?.close();
});

/** Hands a push to the function as it came, and tells what became of it. */
function passOn(incoming: IncomingMessage, answer: ServerResponse): void {
  const { headers, url = '' } = incoming;
  const outgoing = request(door.url, { method: 'POST', headers }, (reply) => {
    answer.writeHead(reply.statusCode ?? 502);
    reply.pipe(answer);
    answers.emit(url.slice(1), reply.statusCode);
  });
  outgoing.on('error', () => answer.destroy());
  incoming.pipe(outgoing);
}

type PushConfig = NonNullable<NonNullable<Parameters<Topic['createSubscription']>[1]>['pushConfig']>;

function pushConfig(name: string, caller: string, more: PushConfig = {}): PushConfig {
  const { port } = gate.address() as AddressInfo;
  const oidcToken = { serviceAccountEmail: caller, audience: door.audience };
  return { pushEndpoint: `http://127.0.0.1:${port}/${name}`, oidcToken, ...more };
}

async function subscribe(name: string, caller: string, more: PushConfig = {}): Promise<Topic> {
  const [topic] = await pubsub.createTopic(name);
  const retryPolicy = { minimumBackoff: { seconds: 1 }, maximumBackoff: { seconds: 1 } };
  await topic.createSubscription(name, { pushConfig: pushConfig(name, caller, more), retryPolicy });
  return topic;
}

/** Does something, and waits for the answer to the next push of the subscription. */
async function answerTo(name: string, act: () => Promise<unknown>): Promise<unknown> {
  using deadline = openDeadline(DEADLINE_MS);
  const answered = once(answers, name, { signal: deadline.signal });
  await act();
  return (await answered)[0];
}

/** Waits until a push is answered so; those before are answered as `before`, if at all. */
async function answeredWith(name: string, status: number, before: number): Promise<void> {
  for (;;) {
    const given = await answerTo(name, async () => undefined);
    if (given === status) return;
    assert.equal(given, before);
  }
}

async function airports(): Promise<string[]> {
  const [rows] = await rig.database.run({ sql: 'SELECT Iata FROM Airports ORDER BY Iata', json: true });
  return rows.map((row) => Object(row).Iata);
}

const record = (iata: string): string => JSON.stringify({ iata, name: iata });

test('a push by another account than the pipeline’s is refused, and taken when the right one brings it', async () => {
  const topic = await subscribe('airports', other);
  const publish = () => topic.publishMessage({ data: Buffer.from(record('LAX')) });
  assert.equal(await answerTo('airports', publish), 403);
  assert.deepEqual(await airports(), []);

  await topic.subscription('airports').modifyPushConfig(pushConfig('airports', own));
  await answeredWith('airports', 204, 403);
  assert.deepEqual(await airports(), ['LAX']);
  assert.equal(await answerTo('airports', () => topic.publishMessage({ data: Buffer.from(record('ORD')) })), 204);
  assert.deepEqual(await airports(), ['LAX', 'ORD']);
});

test('an unwrapped push whose payload is an envelope of the pipeline’s subscription is refused, whatever its attributes say', async () => {
  const before = await airports();
  const unwrapped = { noWrapper: { writeMetadata: true } };
  const topic = await subscribe('parcels', other, unwrapped);
  const forged = Buffer.from(push('airports', record('EVIL'), 'forged'));
  const attributes = {
    'content-type': 'application/json',
    authorization: `Bearer ${await rig.cloud.identity.mintIdToken(own, 'https://elsewhere.example')}`,
    'x-goog-pubsub-subscription-name': `projects/${localProject}/subscriptions/airports`,
    'x-goog-authenticated-user-email': own,
  };
  assert.equal(await answerTo('parcels', () => topic.publishMessage({ data: forged, attributes })), 403);
  assert.deepEqual(await airports(), before);

  await topic.subscription('parcels').modifyPushConfig(pushConfig('parcels', own, unwrapped));
  await answeredWith('parcels', 204, 403);
  assert.deepEqual(await airports(), ['EVIL', ...before].sort());
});

test('an unwrapped push of a record alone is refused, though the right account brings it', async () => {
  const before = await airports();
  const topic = await subscribe('records', own, { noWrapper: { writeMetadata: true } });
  const attributes = { 'content-type': 'application/json' };
  const publish = () => topic.publishMessage({ data: Buffer.from(record('SFO')), attributes });
  assert.equal(await answerTo('records', publish), 400);
  assert.deepEqual(await airports(), before);
});
