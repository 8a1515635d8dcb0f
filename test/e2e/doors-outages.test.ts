import assert from 'node:assert/strict';
import { Agent, type RequestOptions, request } from 'node:http';
import { test } from 'node:test';
import { peakRssMb } from '../chaos/peak-rss.ts';
import type { DoorName } from './doors-rig.ts';
import { doorNames, doorsStage, isProblem, postedDoors, push, rotationPush } from './doors-stage.ts';
import { lateServer } from './late-server.ts';

const stage = doorsStage();
const { bearer, post } = stage;

test('a function that is not set up says so without telling how, and none opens for everybody', async () => {
  const isRefused = async (name: DoorName, unset: Readonly<Record<string, string>>): Promise<void> => {
    const door = await stage.rig.start(name, unset);
    const answer = await post(door, { body: '' });
    const body = await answer.clone().text();
    await isProblem(answer, 500, name);
    assert.match(body, /"code":"CONFIG"/);
    assert.doesNotMatch(body, /nowhere|PENSTOCK_/);
    await door.stop();
  };
  for (const name of doorNames) {
    await Promise.all([
      isRefused(name, { PENSTOCK_DECLARATION: '/nowhere/declaration.json' }),
      isRefused(name, { PENSTOCK_CALLERS: '' }),
    ]);
  }
});

test('a function whose Spanner is down at start asks to be called again, and serves once it is there', async () => {
  const spanner = await lateServer(stage.rig.cloud.env.SPANNER_EMULATOR_HOST ?? '');
  const bodies = {
    'pubsub-sink': push('airports', '{"iata":"SFO","name":"San Francisco"}', 'sfo'),
    'plan-epoch': '{"feed":"names"}',
    'read-shard': push('penstock-shards', '{"epoch":"none","shard":0}'),
    'rotate-secrets': rotationPush('penstock-rotations', 'door-key'),
  };
  const early = await Promise.all(
    postedDoors
      .flatMap((name) => (name === 'kafka-sink' ? [] : [name]))
      .map(async (name) => {
        const door = await stage.rig.start(name, { SPANNER_EMULATOR_HOST: spanner.address });
        const answer = await post(door, { body: bodies[name] });
        assert.ok(Number(answer.headers.get('retry-after')) > 0, name);
        await isProblem(answer, 503, name);
        return { name, door };
      }),
  );
  await spanner.arrive();
  const wanted = { 'pubsub-sink': 204, 'plan-epoch': 404, 'read-shard': 404, 'rotate-secrets': 200 };
  for (const { name, door } of early) {
    const body = name === 'plan-epoch' ? '{"feed":"none"}' : bodies[name];
    const isServed = async (): Promise<boolean> => (await post(door, { body })).status === wanted[name];
    // The client looks again for a server that was down after two seconds at most.
    for (let tries = 0; !(await isServed()); tries++) assert.ok(tries < 5, `${name} does not recover`);
    await door.stop();
  }
  await spanner.close();
});

test('pubsub-sink stays under 300 MB in a burst of 6,000 messages, 256 at once', async () => {
  const door = await stage.rig.start('pubsub-sink');
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const authorization = await bearer(door);
  const statuses = await Promise.all(
    Array.from({ length: 6_000 }, (_, at) => {
      const body = push('airports', JSON.stringify({ iata: at.toString(36), name: 'n'.repeat(50) }), `burst-${at}`);
      return sendBody(door.url, body, { agent, headers: { authorization, 'content-type': 'application/json' } });
    }),
  );
  agent.destroy();
  assert.deepEqual(new Set(statuses), new Set([204]));
  const peakMb = peakRssMb(door.pid);
  assert.ok(peakMb > 0 && peakMb < 300, `${peakMb} MB`);
  await door.stop();
});

function sendBody(url: string, body: string, options: RequestOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', ...options }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
