import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { tokenAccess } from '../../../functions/dashboard/access.ts';
import { loadAssets } from '../../../functions/dashboard/assets.ts';
import { dashboardApp } from '../../../functions/dashboard/handler.ts';
import { mayDecide } from '../../../functions/dashboard/may-decide.ts';
import { viewApproval, wholeCharacters } from '../../../functions/dashboard/view/approval-view.ts';
import { viewOverview } from '../../../functions/dashboard/view/overview.ts';
import { UnauthenticatedError } from '../../../shared/adapters/identity/verify-token.ts';
import { type ApprovalStore, openApprovalStore } from '../../../shared/adapters/spanner/approvals/approval-store.ts';
import { openAuthority } from '../../../shared/connect/authority.ts';
import { ApprovalNeededError, decideApproval, doGuarded } from '../../../shared/connect/second-person.ts';
import type { Asker } from '../../../shared/model/access/asker.ts';
import type { Approval, Content } from '../../../shared/model/approvals/approval.ts';
import { guardedDeclaration } from '../../shared/model/access/guarded-declaration.ts';
import { type ControlDatabase, openControlDatabase } from './control-database.ts';
import { sourcesOf } from './example-sources.ts';
import { hostile } from './example-tables.ts';

const declaration = guardedDeclaration(
  `permit (principal in Group::"operators", action, resource);
permit (principal == Person::"viewer@example.com", action == Action::"view", resource);
forbid (principal, action == Action::"redrive", resource) when { context.all } unless { context.approved };`,
  { groups: { operators: ['ada@example.com', 'bob@example.com'] } },
);
const noLog = () => undefined;

let control: ControlDatabase;
let approvals: ApprovalStore;
let tools: Parameters<typeof doGuarded>[2];
let port = 0;
const server = createServer();

function person(name: string): Asker {
  return { name: `${name}@example.com`, issuer: 'https://accounts.google.com', groups: [], kind: 'person' };
}

before(async () => {
  control = await openControlDatabase();
  approvals = openApprovalStore(control.database);
  const authority = await openAuthority(declaration, { door: 'dashboard', log: noLog });
  tools = { authority, approvals, log: noLog, withinMs: 3_600_000 };
  const app = dashboardApp({
    access: tokenAccess(async (authorization) => {
      const name = /^Bearer (\w+)$/.exec(authorization ?? '')?.[1];
      if (name === undefined) throw new UnauthenticatedError('no bearer token', 'The request carries no bearer token');
      return person(name);
    }),
    admit: (visitor) => void authority.require(visitor, 'view', { type: 'Function', name: 'dashboard' }),
    overview: async () =>
      viewOverview(sourcesOf(declaration, { approvals: await approvals.list(20), asOfMs: Date.now() })),
    epoch: async () => undefined,
    approval: async (id) => {
      const found = await approvals.find(id);
      return found && viewApproval(found, Date.now(), wholeCharacters);
    },
    mayDecide: (visitor, approval) => mayDecide(visitor, approval, tools.authority),
    decide: (visitor, verdict) => decideApproval(visitor, verdict, tools),
    assets: loadAssets(),
    base: '/dashboard',
    refused: { page: () => false, login: () => false },
    log: noLog,
  });
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  server.on('request', (incoming, response) => void listener(incoming, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  port = address.port;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await control.close();
});

/** Ada asks for something that waits for a second person. */
async function asked(content: Content = { about: randomUUID() }): Promise<Approval> {
  const act = {
    action: 'redrive',
    resource: { type: 'Pipeline', name: 'people' },
    content,
    about: { all: true },
  } as const;
  const error: unknown = await doGuarded(person('ada'), act, tools, async () => assert.fail('it ran')).catch(
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ApprovalNeededError);
  return error.approval;
}

interface Sent {
  readonly who?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function send(path: string, { who = 'bob', method = 'GET', headers = {}, body }: Sent = {}) {
  const sent = request({
    host: '127.0.0.1',
    port,
    path,
    method,
    headers: {
      authorization: `Bearer ${who}`,
      ...headers,
      ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
    },
  }).end(body);
  const [answer] = await once(sent, 'response');
  return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
}

const form = {
  'content-type': 'application/x-www-form-urlencoded',
  'sec-fetch-site': 'same-origin',
  'sec-fetch-dest': 'document',
};

function says(approval: Approval, verdict: string, more: Record<string, string> = {}): string {
  return String(new URLSearchParams({ says: verdict, seen: approval.digest, ...more }));
}

test('the page leads to a request of its own page, whose yes is somebody else’s and leads back to the request', async () => {
  const approval = await asked();
  const path = `/approvals/${approval.id}`;
  const list = (await send('/')).body;
  assert.match(list, new RegExp(`<a class="button main" href="/dashboard${path}">Review`));
  assert.doesNotMatch(
    list,
    /<form method="post"|value="approve"/,
    'a list that is renewed holds no button that decides',
  );
  assert.match((await send(path)).body, /value="approve"/);
  const own = (await send(path, { who: 'ada' })).body;
  assert.doesNotMatch(own, /value="approve"/);
  assert.match(own, /You asked for this: somebody else has to say yes.*Take back/s);
  const looking = (await send(path, { who: 'viewer' })).body;
  assert.doesNotMatch(looking, /<form/);
  assert.match(looking, /Policies let you look at this, not decide about it/);
  const yes = { method: 'POST', headers: form, body: says(approval, 'approve') };
  const sent = await send(path, yes);
  assert.deepEqual([sent.status, sent.headers.location], [303, `/dashboard${path}`]);
  const found = await approvals.find(approval.id);
  assert.deepEqual([found?.state, found?.decidedBy], ['approved', 'bob@example.com']);
  assert.doesNotMatch((await send(path)).body, /<form/);
  const again = await send(path, yes);
  assert.equal(again.status, 409);
  assert.match(again.body, new RegExp(`href="/dashboard${path}"`));
});

test('the page takes no decision that another site’s page has sent, and none that a frame or a script sends', async () => {
  const approval = await asked();
  const path = `/approvals/${approval.id}`;
  const body = says(approval, 'approve');
  const { 'sec-fetch-site': _, ...unsaid } = form;
  for (const headers of [
    { ...form, 'sec-fetch-site': 'cross-site' },
    { ...form, 'sec-fetch-site': 'same-site' },
    { ...form, 'sec-fetch-site': 'none' },
    { ...form, 'sec-fetch-dest': 'iframe' },
    { ...form, 'sec-fetch-dest': 'empty' },
    { ...unsaid, origin: 'https://attacker.example' },
    unsaid,
  ]) {
    const sent = await send(path, { method: 'POST', headers, body });
    assert.equal(sent.status, 403, JSON.stringify(headers));
  }
  for (const [method, more] of [
    ['GET', {}],
    ['PUT', form],
    ['PATCH', form],
    ['DELETE', form],
    ['GET', { ...form, 'x-http-method-override': 'POST' }],
  ] as const) {
    await send(`${path}?${body}`, { method, headers: more });
  }
  assert.equal((await approvals.find(approval.id))?.state, 'requested');
});

test('the page takes no decision without a token, from who may only look, of one’s own, or of something else', async () => {
  const approval = await asked();
  const path = `/approvals/${approval.id}`;
  const body = says(approval, 'approve');
  const post = async (sent: Sent) => (await send(path, { method: 'POST', headers: form, body, ...sent })).status;
  assert.equal(await post({ headers: { ...form, authorization: '' } }), 401);
  assert.equal(await post({ who: 'viewer' }), 403);
  assert.equal(await post({ who: 'eve' }), 403);
  assert.equal(await post({ who: 'ada' }), 403);
  assert.equal(await post({ body: says(approval, 'approve', { seen: 'sha256-x' }) }), 409);
  assert.equal(await post({ body: says(approval, 'maybe') }), 400);
  assert.equal(await post({ body: `${body}&reason=${'x'.repeat(20_000)}` }), 400);
  assert.equal(await post({ headers: { ...form, 'content-type': 'text/plain' } }), 400);
  assert.equal((await approvals.find(approval.id))?.state, 'requested');
  for (const id of ['nobody', '..%2f..%2fapi', "'%20OR%20TRUE", 'x'.repeat(2_000)]) {
    const status = (await send(`/approvals/${id}`, { method: 'POST', headers: form, body })).status;
    assert.equal(status, 404, id);
  }
});

test('every answer about approvals forbids frames, scripts of others, and keeping it', async () => {
  const approval = await asked();
  const path = `/approvals/${approval.id}`;
  const answers = [
    await send(path),
    await send(path, {
      method: 'POST',
      headers: { ...form, 'sec-fetch-site': 'cross-site' },
      body: says(approval, 'deny'),
    }),
    await send(path, { method: 'POST', headers: form, body: says(approval, 'deny') }),
  ];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 403, 303],
  );
  for (const { headers } of answers) {
    assert.match(String(headers['content-security-policy']), /default-src 'none'.*frame-ancestors 'none'/);
    assert.match(String(headers['content-security-policy']), /form-action 'self'/);
    assert.equal(headers['x-frame-options'], 'DENY');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['referrer-policy'], 'no-referrer');
  }
});

test('what is asked for is text on the page, whatever is written in it', async () => {
  const approval = await asked({ [hostile]: hostile, about: randomUUID() });
  const denied = await send(`/approvals/${approval.id}`, {
    method: 'POST',
    headers: form,
    body: says(approval, 'deny', { reason: hostile }),
  });
  assert.equal(denied.status, 303);
  for (const path of ['/', `/approvals/${approval.id}`]) {
    const { body } = await send(path);
    assert.match(body, /&lt;script&gt;/, path);
    assert.doesNotMatch(body, /<script>|<img/, path);
    assert.doesNotMatch(body, /\u202e/, path);
  }
  const { body, headers } = await send('/api/approvals');
  assert.match(String(headers['content-type']), /^application\/json/);
  assert.ok(JSON.parse(body).approvals.some(({ id }: { id: string }) => id === approval.id));
});
