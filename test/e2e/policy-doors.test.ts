import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { PubSub } from '@google-cloud/pubsub';
import { localProject } from '../../deploy/local/project.ts';
import { accounts, type Door, type DoorName, type DoorsRig, doors, openDoorsRig } from './doors-rig.ts';
import { rawRequest } from './raw-request.ts';

const names = Object.keys(doors).filter((name): name is DoorName => name in doors);

let rig: DoorsRig;
let declarationCount = 0;
before(async () => {
  rig = await openDoorsRig();
  const [operation] = await rig.database.updateSchema(
    'CREATE TABLE Pilots (Id STRING(32) NOT NULL, Name STRING(MAX)) PRIMARY KEY (Id)',
  );
  await operation.promise();
  process.env.PUBSUB_EMULATOR_HOST = rig.cloud.env.PUBSUB_EMULATOR_HOST;
  const pubsub = new PubSub({ projectId: localProject });
  await pubsub.createTopic('penstock-shards');
  await pubsub.close();
});
after(() => rig.close());

/** A function of the rig under these policies, with a second feed, of a table with a sensitive column. */
async function start(name: DoorName, policies: string) {
  declarationCount += 1;
  const declaration = JSON.parse(readFileSync(rig.declarationPath, 'utf8'));
  declaration.feeds.pilots = {
    ...declaration.feeds.names,
    name: 'pilots',
    table: 'Pilots',
  };
  const sources = [{ file: './policies/p.cedar', text: policies }];
  declaration.access = { policies: './policies', sources, groups: {}, sensitive: { Pilots: ['Name'] }, issuers: [] };
  const path = `${rig.declarationPath}.${declarationCount}.json`;
  writeFileSync(path, JSON.stringify(declaration));
  return rig.start(name, { PENSTOCK_DECLARATION: path });
}

async function send(door: Door, { path = '/', method = 'POST', headers = {}, body = '{}' } = {}) {
  const authorization = `Bearer ${await rig.cloud.identity.mintIdToken(door.caller, door.audience)}`;
  const type = { 'content-type': 'application/json' };
  const answer = await fetch(`${door.url}${path}`, {
    method,
    headers: { authorization, ...type, ...headers },
    ...(method === 'GET' ? {} : { body }),
  });
  return { status: answer.status, text: await answer.text() };
}

async function plannedFeeds(): Promise<string[]> {
  const [rows] = await rig.database.run({ sql: 'SELECT DISTINCT Feed FROM PenstockEpochs ORDER BY Feed', json: true });
  return rows.map((row) => Object(row).Feed);
}

const bodies: Partial<Record<DoorName, object>> = {
  'plan-epoch': { feed: 'names' },
  'rotate-secrets': { secret: 'door-key' },
  'pubsub-sink': {
    message: {
      data: Buffer.from('{"iata":"SFO","name":"x"}').toString('base64'),
      messageId: '1',
      publishTime: '2026-11-21T07:00:00Z',
    },
    subscription: 'projects/penstock-local/subscriptions/airports',
  },
};

test('every door refuses what no policy permits, though the token is good and the caller is named', async () => {
  const rowsBefore = await rig.writtenRows();
  for (const name of names.filter((one) => one !== 'read-shard')) {
    const door = await start(
      name,
      '@id("nobody") permit (principal == Person::"nobody@example.com", action, resource);',
    );
    const get = name === 'dashboard' ? { method: 'GET' } : {};
    const sent = { ...get, headers: { 'idempotency-key': 'refused' }, body: JSON.stringify(bodies[name] ?? {}) };
    const { status, text } = await send(door, sent);
    assert.equal(status, 403, `${name}: ${text}`);
    assert.match(text, /no policy permits it|policies do not let/, name);
  }
  assert.equal(await rig.writtenRows(), rowsBefore);
});

test('the schedule’s tick is no success to it where policies refuse every secret', async () => {
  const door = await start(
    'rotate-secrets',
    '@id("nobody") permit (principal == Person::"nobody@example.com", action, resource);',
  );
  const { status, text } = await send(door);
  assert.deepEqual([status, JSON.parse(text).secrets.length], [403, 1]);
});

test('a door whose policies do not hold opens for nobody', async () => {
  const door = await start('plan-epoch', 'permit (principal, action, resource == Feed::"nmaes");');
  const { status, text } = await send(door, { body: JSON.stringify({ feed: 'names' }) });
  assert.equal(status, 500);
  assert.equal(JSON.parse(text).code, 'CONFIG');
  assert.deepEqual(await plannedFeeds(), []);
});

test('plan-epoch plans the feed that was decided of, whatever way the path goes, and no other', async () => {
  const door = await start(
    'plan-epoch',
    `permit (principal, action == Action::"trigger", resource == Feed::"names");
permit (principal, action == Action::"readColumns", resource in Table::"Airports");`,
  );
  const tricks = [
    '/pilots',
    '/names/../pilots',
    '/names/..%2fpilots',
    '/x/../pilots',
    '//pilots',
    '/names?feed=pilots/../pilots#',
    '/PILOTS',
    '/names%00',
    '/names%2fpilots',
    '/%70ilots',
    '/names;pilots',
    '/names/',
    '/__proto__',
    '/names%22%20%7c%7c%20true',
    '/nam%C3%A9s',
  ];
  for (const path of tricks) {
    const host = new URL(door.url).host;
    const token = await rig.cloud.identity.mintIdToken(door.caller, door.audience);
    const answer = await rawRequest(
      door.url,
      `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    );
    const feeds = await plannedFeeds();
    assert.ok(
      feeds.every((feed) => feed === 'names'),
      `${path} planned ${feeds}`,
    );
    if (!path.startsWith('/names?')) assert.ok([400, 403, 404].includes(answer.status), `${path}: ${answer.status}`);
  }
  const long = await send(door, { body: JSON.stringify({ feed: `names${'\u0000'.repeat(10)}${'x'.repeat(60_000)}` }) });
  assert.equal(long.status, 403);
  assert.ok(long.text.length < 2_000, 'a long name comes back whole');
  assert.equal((await send(door, { body: JSON.stringify({ feed: 'names' }) })).status, 200);
});

test('no header makes another method, action or caller of a request', async () => {
  const door = await start('plan-epoch', 'permit (principal, action == Action::"trigger", resource == Feed::"names");');
  const headers = {
    'x-http-method-override': 'POST',
    'x-http-method': 'POST',
    'x-goog-authenticated-user-email': 'accounts.google.com:nobody@example.com',
    'x-serverless-authorization': 'Bearer x',
    'x-original-url': '/names',
    'x-rewrite-url': '/names',
    'x-forwarded-email': 'nobody@example.com',
  };
  assert.equal((await send(door, { method: 'GET', path: '/names', headers })).status, 405);
  const rewritten = await send(door, { path: '/pilots', headers, body: '' });
  assert.equal(rewritten.status, 403);
  assert.match(rewritten.text, /may not trigger Feed\/pilots/);
});

test('plan-epoch reads no sensitive column that no policy grants its account, and all that one does', async () => {
  const open = 'permit (principal, action == Action::"trigger", resource);';
  const plain = `${open}
permit (principal, action == Action::"readColumns", resource) when { !resource.sensitive };`;
  const refused = await send(await start('plan-epoch', plain), { body: JSON.stringify({ feed: 'pilots' }) });
  assert.equal(refused.status, 403);
  assert.match(refused.text, /may not readColumns Column\/Pilots\.Name/);
  assert.ok(!(await plannedFeeds()).includes('pilots'));
  const granted = `${plain}
permit (principal == ServiceAccount::"${accounts['plan-epoch']}", action == Action::"readColumns", resource == Column::"Pilots.Name")
when { context has feed && context.feed == Feed::"pilots" };`;
  const door = await start('plan-epoch', granted);
  await rig.database.table('Pilots').insert([{ Id: '1', Name: 'Ada' }]);
  const planned = await send(door, { body: JSON.stringify({ feed: 'pilots' }) });
  assert.equal(planned.status, 200, planned.text);

  const epoch = JSON.parse(planned.text).epoch;
  const job = {
    message: {
      data: Buffer.from(JSON.stringify({ epoch, shard: 0 })).toString('base64'),
      messageId: '9',
      publishTime: '2026-11-21T07:00:00Z',
    },
    subscription: 'projects/penstock-local/subscriptions/penstock-shards',
  };
  const reader = await start('read-shard', plain);
  const unread = await send(reader, { body: JSON.stringify(job) });
  assert.equal(unread.status, 403);
  assert.match(unread.text, /may not readColumns Column\/Pilots\.Name/);
  const [shards] = await rig.database.run({
    sql: `SELECT State, Fence FROM PenstockShards WHERE EpochId = '${epoch}'`,
    json: true,
  });
  assert.deepEqual(new Set(shards.map((shard) => Object(shard).Fence)), new Set([0]), 'a lease was taken');
});
