import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { feed, openFeedStage } from '../../functions/read-shard/feed-stage.ts';

const launch = resolve(import.meta.dirname, '../../../deploy/cli/launch.js');
let stage: Awaited<ReturnType<typeof openFeedStage>>;
let dir: string;

before(async () => {
  stage = await openFeedStage();
  dir = await mkdtemp(join(tmpdir(), 'masks-'));
  await mkdir(join(dir, 'policies'));
  await writeFile(
    join(dir, 'policies/p.cedar'),
    `permit (principal, action == Action::"view", resource);
permit (principal == Person::"ada@example.com", action == Action::"readColumns", resource);`,
  );
  await writeFile(
    join(dir, 'penstock.yaml'),
    `spanner: { database: ${stage.name} }
feeds:
  delays:
    table: Flights
    transforms: { origin: { column: Origin, vocabulary: { maxSize: 400 } } }
    trainer: { url: https://trainer.example }
access:
  policies: ./policies
  sensitive: { Flights: [Origin, FlightId] }
`,
  );
});

after(async () => {
  await stage.close();
  await rm(dir, { recursive: true });
});

async function penstock(who: string, ...args: string[]) {
  const command = [launch, ...args, '--config', join(dir, 'penstock.yaml')];
  const env = { ...process.env, ...stage.env, PENSTOCK_IDENTITY: `${who}@example.com` };
  const child = spawn(process.execPath, command, { env });
  const [out, error, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  assert.equal(status, 0, error);
  return out;
}

test('penstock epoch show and lineage mask what an epoch keeps of sensitive columns, for those who may not read them alone', async () => {
  const { epoch } = await stage.plan('kept');
  const reason = 'Tensor origin of column Origin in row ["f000007"]: JFK is too long';
  await stage.database.table('PenstockEpochs').update({ EpochId: epoch, State: 'failed', Error: reason });
  const told = /ORD|SFO|JFK|f\d{6}/;
  const commands = [
    ['epoch', 'show', epoch, '--fit', '--json'],
    ['epoch', 'show', epoch],
    ['epoch', 'show', epoch, '--watch', '--json'],
    ['lineage', epoch, '1', '0'],
  ];
  for (const command of commands) {
    const [seen, whole] = await Promise.all(['viewer', 'ada'].map((who) => penstock(who, ...command)));
    assert.doesNotMatch(seen ?? '', told, command.join(' '));
    assert.match(seen ?? '', /\(masked\)/, command.join(' '));
    assert.match(whole ?? '', told, command.join(' '));
  }
});

test('penstock lineage masks the keys of a query that a sensitive column may be in', async () => {
  const sql = {
    text: 'SELECT f.FlightId, f.DistanceMiles FROM Flights AS f',
    key: [{ name: 'FlightId', descending: false }],
  };
  const [row] = feed.transforms;
  assert.ok(row);
  const { epoch } = await stage.plan('asked', { ...feed, table: 'query', sql, transforms: [row], label: undefined });
  const command = ['lineage', epoch, '1', '0', '--json'];
  assert.equal(JSON.parse(await penstock('viewer', ...command)).keyRange, '(masked)');
  assert.match(JSON.parse(await penstock('ada', ...command)).keyRange.from[0], /^f\d{6}$/);
});
