import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { Spanner } from '@google-cloud/spanner';
import { openLocalDatabase } from '../../../deploy/cli/stack/open-local-database.ts';
import { type LocalCloud, openLocalCloud } from '../../../deploy/local/cloud.ts';
import { auditRefusals } from '../../../shared/adapters/identity/audit-refusals.ts';
import { ForbiddenError, UnauthenticatedError } from '../../../shared/adapters/identity/verify-token.ts';
import { audit } from '../../../shared/base/audit.ts';
import { jsonLog } from '../../../shared/base/log.ts';

const DATABASE = 'projects/penstock-local/instances/main/databases/audited';
const DECLARATION = `
spanner: { database: "${DATABASE}" }
access: { policies: ./policies }
feeds:
  cents:
    table: Orders
    transforms: { cents: { column: Cents, as: float32, fillNull: 0 } }
    trainer: { url: https://trainer.example }
secrets:
  webhook-key: { strategy: hmac-key, every: 7d, overlap: 1h }
`;
const launcher = resolve(import.meta.dirname, '../../../deploy/cli/launch.js');
const DAY_MS = 86_400_000;

const dir = mkdtempSync(join(tmpdir(), 'audit-report-'));
const file = join(dir, 'audit.log');
let cloud: LocalCloud;

before(async () => {
  cloud = await openLocalCloud();
  writeFileSync(join(dir, 'penstock.yaml'), DECLARATION);
  mkdirSync(join(dir, 'policies'));
  writeFileSync(join(dir, 'policies/all.cedar'), 'permit (principal, action, resource);\n');
  const table = 'CREATE TABLE Orders (OrderId STRING(32) NOT NULL, Cents INT64) PRIMARY KEY (OrderId);';
  const database = await openLocalDatabase(cloud, DATABASE, table);
  const madeAt = new Date(Date.now() - 9 * DAY_MS).toISOString();
  await database.table('PenstockRotations').insert({
    Secret: 'webhook-key',
    RotationId: 'due-v1',
    Kind: 'rotate',
    Step: 'closed',
    UnderWay: false,
    BaseVersion: Spanner.int(1),
    FromVersion: Spanner.int(1),
    ToVersion: Spanner.int(2),
    Fence: Spanner.int(1),
    RequestedBy: 'schedule',
    StartedAt: madeAt,
    UpdatedAt: madeAt,
    FinishedAt: madeAt,
  });
  await database.close();
  const lines: string[] = [];
  const log = jsonLog('test', (line) => lines.push(line.trim()));
  const read = { action: 'spanner.read', identity: 'read-shard@p', resource: 'Orders' } as const;
  audit(log, { ...read, outcome: 'done', details: { rows: 40 } });
  audit(log, { ...read, outcome: 'done', details: { rows: 2 } });
  audit(log, { ...read, identity: 'eve@p', outcome: 'refused' });
  const source = new EventEmitter();
  const refused = auditRefusals('read-shard', log, { linesPerReason: 2, source });
  for (let at = 0; at < 5; at += 1) refused(new UnauthenticatedError('no bearer token', 'no token'));
  refused(new ForbiddenError({ name: 'mallory@p', issuer: 'https://accounts.google.com' }));
  source.emit('exit');
  const approval = { approval: 'a1', asked: 'redrive', requestedBy: 'anna@p' };
  const redrive = { resource: 'Pipeline/orders', outcome: 'done' } as const;
  audit(log, { ...redrive, action: 'approval.request', identity: 'anna@p', details: approval });
  audit(log, {
    ...redrive,
    action: 'approval.approve',
    identity: 'bert@p',
    details: { ...approval, decidedBy: 'bert@p' },
  });
  writeFileSync(file, `${lines.join('\n')}\n`);
});

after(async () => {
  await cloud.close();
  rmSync(dir, { recursive: true });
});

async function report(...args: string[]) {
  const command = [launcher, 'audit', 'report', file, '--config', join(dir, 'penstock.yaml'), ...args];
  const child = spawn(process.execPath, command, { env: { ...process.env, ...cloud.env } });
  const exit = new Promise<number | null>((settle) => child.on('exit', settle));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { code, stdout, stderr };
}

test('penstock audit report answers who had access, who used it, what was overdue and who approved what', async () => {
  const from = new Date(Date.now() - DAY_MS).toISOString();
  const answer = await report('--from', from, '--json');
  assert.equal(answer.code, 0, answer.stderr);
  const { lines, gaps, hadAccess, used, refused, overdue, reviewed } = JSON.parse(answer.stdout);
  assert.deepEqual([lines, gaps], [9, []]);
  const reader = hadAccess.functions.find(({ function: name }: { function: string }) => name === 'read-shard');
  assert.match(reader.serviceAccount, /^read-shard@/);
  assert.deepEqual(
    hadAccess.policies.map((policy: { text: string }) => policy.text),
    ['permit (principal, action, resource);\n'],
  );
  const [read] = used.filter(({ action }: { action: string }) => action === 'spanner.read');
  assert.deepEqual([read.identity, read.count, read.rows], ['read-shard@p', 2, 42]);
  assert.deepEqual(
    refused.map(({ identity, resource, count }: Record<string, unknown>) => [identity, resource, count]),
    [
      ['eve@p', 'Orders', 1],
      ['mallory@p', 'Function/read-shard', 1],
      ['unverified', 'Function/read-shard', 2],
      ['various', 'Function/read-shard', 3],
    ],
  );
  assert.deepEqual(
    overdue.map(({ secret, version, replacedAt }: Record<string, unknown>) => [secret, version, replacedAt]),
    [['webhook-key', 2, undefined]],
  );
  assert.deepEqual([reviewed[0].requestedBy, reviewed[0].decidedBy], ['anna@p', 'bert@p']);
  const printed = (await report('--from', from)).stdout;
  assert.match(printed, /^Lines that are missing or changed\n {2}none$/m);
  assert.match(printed, /^ {2}webhook-key {2}version 2, made \S+, was due \S+, is in use still$/m);
  assert.match(printed, /^ {2}eve@p {2}spanner\.read Orders: refused 1 times, /m);
  assert.match(printed, /^ {2}various {2}door\.enter Function\/read-shard: refused 3 times, /m);
});

test('penstock audit report leaves out what lies outside, and refuses what is no period', async () => {
  const early = await report('--from', '2020-01-01', '--to', '2020-02-01', '--json');
  const { lines, used, overdue, reviewed } = JSON.parse(early.stdout);
  assert.deepEqual([lines, used, overdue, reviewed], [0, [], [], []]);
  const wrong = await report('--from', 'yesterday');
  assert.deepEqual([wrong.code, /--from: is "yesterday", which is no time/.test(wrong.stderr)], [2, true]);
  const upside = await report('--from', '2020-02-01', '--to', '2020-01-01');
  assert.deepEqual([upside.code, /--to: is 2020-01-01, which is not after/.test(upside.stderr)], [2, true]);
});
