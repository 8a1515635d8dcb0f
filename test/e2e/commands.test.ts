import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { readFlights } from '../../deploy/cli/demo/flights.ts';
import { sendFlights } from '../../deploy/cli/demo/send-events.ts';
import { openStack, type Stack } from '../../deploy/cli/stack/stack.ts';

const root = resolve(import.meta.dirname, '../..');
const config = join(root, 'deploy/local/demo/penstock.yaml');
const FLIGHTS = 1_500;
let stack: Stack;

before(async () => {
  stack = await openStack({
    declaration: readFileSync(config, 'utf8'),
    tables: readFileSync(join(root, 'deploy/local/demo/tables.sql'), 'utf8'),
  });
  await sendFlights(stack.declaration.kafka?.brokers ?? [], 'flights', readFlights(FLIGHTS), () => {});
});
after(() => stack.close());

/** Runs a command as a person would, against the stack. */
async function penstock(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const env = { ...process.env, ...stack.cloud.env, TRAINER_URL: stack.trainer.url };
  const child = spawn(process.execPath, [join(root, 'deploy/cli/launch.js'), ...args, '--config', config], { env });
  const exit = new Promise<number | null>((settle) => child.on('exit', settle));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { code, stdout, stderr };
}

async function json(...args: string[]) {
  const { code, stdout, stderr } = await penstock(...args, '--json');
  assert.equal(code, 0, `${args.join(' ')}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

test('penstock run kafka-sink --until-caught-up takes everything once, and nothing the second time', async () => {
  const first = await json('run', 'kafka-sink', '--until-caught-up');
  assert.equal(first.pipelines.flights.rows, FLIGHTS);
  assert.deepEqual((await json('run', 'kafka-sink', '--until-caught-up')).pipelines, {});
});

let epoch = '';

test('penstock epoch start --here reads the snapshot in its own process', async () => {
  const started = await json('epoch', 'start', 'delays', '--here', '--readers', '3');
  epoch = started.epoch;
  assert.equal(started.state, 'delivered');
  assert.equal(started.shards.length, 8);
  assert.equal(
    started.shards.reduce((sum: number, shard: { rows: number }) => sum + shard.rows, 0),
    FLIGHTS,
  );
});

test('penstock epoch start --wait has the functions read it', async () => {
  const started = await json('epoch', 'start', 'delays', '--wait');
  assert.equal(started.state, 'delivered');
  assert.notEqual(started.epoch, epoch);
});

test('penstock epoch show names the offsets that the snapshot contains', async () => {
  const shown = await json('epoch', 'show', epoch);
  assert.equal(shown.rowCount, FLIGHTS);
  const contained = shown.offsets.reduce(
    (sum: number, { nextOffset }: { nextOffset: string }) => sum + Number(nextOffset),
    0,
  );
  assert.equal(contained, FLIGHTS);
  assert.match((await penstock('epoch', 'show', epoch)).stdout, /1,500 of 1,500 rows, (\d+) of \1 shards delivered/);
});

test('penstock lineage names offsets, timestamp, columns and identity of a batch', async () => {
  const account = await json('lineage', epoch, '2', '0');
  assert.match(account.readTimestamp, /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.ok(account.columns.includes('DelayMinutes'));
  assert.equal(account.offsets.length, 4);
  assert.equal(account.plannedBy, 'laptop');
  const beyond = await penstock('lineage', epoch, '2', '999');
  assert.equal(beyond.code, 1);
  assert.match(beyond.stderr, /no batch 999 there/);
});

test('penstock names what there is when asked for what there is not', async () => {
  const feed = await penstock('epoch', 'start', 'nonsense', '--here');
  assert.equal(feed.code, 1);
  assert.match(feed.stderr, /no feed "nonsense"\n.*delays/);
  assert.equal((await penstock('epoch', 'show', 'nonsense')).code, 1);
  assert.equal((await penstock('run', 'kafka-sink', '--pipeline', 'nonsense')).code, 2);
});

test('penstock serve answers for each function behind one port', async () => {
  const env = { ...process.env, ...stack.cloud.env, TRAINER_URL: stack.trainer.url, PENSTOCK_DASHBOARD_ACCESS: 'open' };
  const args = [join(root, 'deploy/cli/launch.js'), 'serve', '--port', '0', '--json', '--config', config];
  const child = spawn(process.execPath, args, { env });
  const exit = new Promise<number | null>((settle) => child.on('exit', settle));
  try {
    const { url, functions } = JSON.parse(await firstLine(child.stdout));
    assert.deepEqual(functions, [
      'dashboard',
      'kafka-sink',
      'plan-epoch',
      'pubsub-sink',
      'read-shard',
      'rotate-secrets',
    ]);
    assert.equal((await fetch(`${url}/dashboard/`)).status, 200);
    assert.equal((await fetch(`${url}/plan-epoch`, { method: 'POST' })).status, 401);
    assert.equal((await fetch(`${url}/rotate-secrets`, { method: 'POST' })).status, 401);
    assert.equal((await fetch(`${url}/nonsense`)).status, 404);
  } finally {
    child.kill('SIGTERM');
  }
  assert.equal(await exit, 0);
});

async function firstLine(stream: AsyncIterable<Buffer>): Promise<string> {
  let read = '';
  for await (const chunk of stream) {
    read += chunk;
    if (read.includes('\n')) break;
  }
  return read.split('\n')[0] ?? '';
}
