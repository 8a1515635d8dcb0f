import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

const launch = join(resolve(import.meta.dirname, '../..'), 'deploy/cli/launch.js');
const EVENTS = 5_000;

test('penstock demo --once --json carries real flights from Kafka to a trained model, each exactly once', async () => {
  const child = spawn(process.execPath, [launch, 'demo', '--once', '--json', '--events', String(EVENTS)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((settle) => child.on('exit', settle)),
  ]);
  assert.equal(code, 0, stderr);
  const summary = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  assert.equal(summary.events.kafka, EVENTS);
  assert.equal(summary.rows.Flights, EVENTS);
  assert.equal(summary.rows.Airports, summary.events.pubsub);
  assert.deepEqual([summary.lost, summary.doubled, summary.deadLetters], [0, 0, 0]);
  assert.equal(summary.epoch.rows, EVENTS);
  assert.equal(summary.epoch.rowsSeenOnce, EVENTS);
  assert.equal(summary.epoch.shards, 8);
  assert.ok(summary.training.lastLoss < summary.training.firstLoss, stdout);
  assert.ok(summary.training.auc > summary.training.baselineAuc, stdout);
  assert.doesNotMatch(stderr, /warning|Error:/i, 'libraries chatter on the terminal');
});
