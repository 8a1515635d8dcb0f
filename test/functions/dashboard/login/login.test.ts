import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openLogin } from '../../../../functions/dashboard/login/open-login.ts';
import { cookieName, writeCookie } from '../../../../functions/dashboard/login/sessions.ts';
import { ConfigError } from '../../../../shared/base/errors.ts';
import { noLog } from '../../../../shared/base/log.ts';
import { exampleDeclaration } from '../example-declaration.ts';
import { type LoginStage, serveLogin } from './serve-login.ts';

let stage: LoginStage;
before(async () => {
  stage = await serveLogin();
});
after(() => stage.close());

/** As much of a browser as signing in needs: cookies, and no redirect followed by itself. */
class Browser {
  readonly cookies = new Map<string, string>();
  readonly #at: LoginStage;

  constructor(at = stage) {
    this.#at = at;
  }

  async go(url: string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { redirect: 'manual', ...init, headers: { cookie, ...init.headers } });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/Max-Age=0/.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }

  /** Goes to the issuer, is somebody there, and says where it sends one back to. */
  async signInAs(person: string, query = ''): Promise<string> {
    const begun = await this.go(`${this.#at.url}/login${query}`);
    assert.equal(begun.status, 303);
    const chosen = await fetch(begun.headers.get('location') ?? '', {
      method: 'POST',
      redirect: 'manual',
      body: new URLSearchParams({ person }),
    });
    assert.equal(chosen.status, 303);
    return chosen.headers.get('location') ?? '';
  }
}

async function signedIn(person = 'ada@example.com'): Promise<Browser> {
  const browser = new Browser();
  const answer = await browser.go(await browser.signInAs(person));
  assert.equal(answer.status, 200);
  return browser;
}

const page = (browser: Browser) => browser.go(`${stage.url}/api/overview`);

test('nobody sees the page before signing in, and is told where', async () => {
  const browser = new Browser();
  const answer = await browser.go(`${stage.url}/`);
  assert.equal(answer.status, 401);
  assert.match(await answer.text(), /href="\/login"/);
  assert.equal((await page(browser)).status, 401);
});

test('who signs in sees the page for an hour, and until signing out', async () => {
  const browser = await signedIn();
  const html = await (await browser.go(`${stage.url}/`)).text();
  assert.match(html, /ada@example\.com/);
  const [, token = ''] = /name="token" value="([^"]+)"/.exec(html) ?? [];
  const out = await browser.go(`${stage.url}/logout`, {
    method: 'POST',
    body: new URLSearchParams({ token }),
    headers: { origin: stage.url },
  });
  assert.equal(out.status, 303);
  assert.equal((await page(browser)).status, 401);

  const hour = await signedIn('eve@example.com');
  stage.later(3_599_000);
  assert.equal((await page(hour)).status, 200);
  stage.later(1_000);
  assert.equal((await page(hour)).status, 401);
  stage.later(-3_600_000);
});

test('the session’s cookie is out of reach of scripts, other sites and other hosts', async () => {
  const browser = new Browser();
  const answer = await browser.go(await browser.signInAs('ada@example.com'));
  const [session = ''] = answer.headers.getSetCookie();
  assert.match(session, /^penstock-session=[^;]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=3600$/);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  assert.match(answer.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
  const secure = { isSecure: true, sameSite: 'Strict', maxAgeSeconds: 1 } as const;
  assert.match(writeCookie(cookieName('penstock-session', true), 'x', secure), /^__Host-penstock-session=.*; Secure$/);
});

test('who is not on the list is signed in nowhere', async () => {
  const browser = new Browser();
  const answer = await browser.go(await browser.signInAs('grace@example.com'));
  assert.equal(answer.status, 403);
  assert.ok(!browser.cookies.has('penstock-session'));
});

test('a sign-in that another browser began does not become this one’s session', async () => {
  const attacker = new Browser();
  const theirs = await attacker.signInAs('eve@example.com');
  const victim = new Browser();
  assert.equal((await victim.go(theirs)).status, 401);
  await victim.go(`${stage.url}/login`);
  assert.equal((await victim.go(theirs)).status, 401);
  assert.ok(!victim.cookies.has('penstock-session'));
});

test('a code is good once, for who began the sign-in, and another’s code is refused', async () => {
  const browser = new Browser();
  const back = await browser.signInAs('ada@example.com');
  const copied = new Browser();
  for (const [name, value] of browser.cookies) copied.cookies.set(name, value);
  assert.equal((await browser.go(back)).status, 200);
  assert.equal((await copied.go(back)).status, 401);

  const other = new Browser();
  const theirs = new URL(await other.signInAs('ada@example.com'));
  const mine = new Browser();
  const own = new URL(await mine.signInAs('eve@example.com'));
  own.searchParams.set('code', theirs.searchParams.get('code') ?? '');
  assert.equal((await mine.go(own.href)).status, 401);
});

test('a callback without a code, with an error, or with nonsense is refused and changes nothing', async () => {
  const browser = new Browser();
  const state = new URL(await browser.signInAs('ada@example.com')).searchParams.get('state') ?? '';
  for (const query of [
    '',
    '?code=x',
    `?state=${state}`,
    `?error=access_denied&state=${state}`,
    `?code=${'x'.repeat(5_000)}&state=${state}`,
    `?code=nonsense&state=${state}`,
  ]) {
    assert.equal((await browser.go(`${stage.url}/login/callback${query}`)).status, 401, query);
  }
  assert.ok(!browser.cookies.has('penstock-session'));
});

test('signing out needs a form of this page: another site’s post does nothing', async () => {
  const browser = await signedIn();
  const html = await (await browser.go(`${stage.url}/`)).text();
  const [, token = ''] = /name="token" value="([^"]+)"/.exec(html) ?? [];
  const attempts: { token?: string; headers: Record<string, string> }[] = [
    { headers: { origin: stage.url } },
    { token: 'x', headers: { origin: stage.url } },
    { token, headers: { origin: 'https://evil.example' } },
    { token, headers: { origin: 'null' } },
    { token, headers: {} },
    { token, headers: { origin: stage.url, 'sec-fetch-site': 'cross-site' } },
    { token, headers: { 'sec-fetch-site': 'same-site' } },
  ];
  for (const { token: sent = '', headers } of attempts) {
    const answer = await browser.go(`${stage.url}/logout`, {
      method: 'POST',
      body: new URLSearchParams({ token: sent }),
      headers,
    });
    assert.equal(answer.status, 401, JSON.stringify(headers));
  }
  assert.equal((await page(browser)).status, 200);
});

test('signing in leads back to the request that one came from, and to no address that a link names', async () => {
  const refused = await new Browser().go(`${stage.url}/approvals/a-1`);
  assert.match(await refused.text(), /href="\/login\?to=%2Fapprovals%2Fa-1"/);
  const leadsTo = async (to: string): Promise<string | undefined> => {
    const browser = new Browser();
    const back = await browser.signInAs('ada@example.com', `?to=${encodeURIComponent(to)}`);
    return /content="0; url=([^"]*)"/.exec(await (await browser.go(back)).text())?.[1];
  };
  assert.equal(await leadsTo('/approvals/a-1'), `${stage.url}/approvals/a-1`);
  for (const to of [
    '//evil.example',
    'https://evil.example/approvals/a-1',
    '@evil.example/approvals/a-1',
    '.evil.example/',
    '/approvals/../logout',
    '/approvals/a-1?says=approve',
    '/approvals/a-1\n',
    '/approvals/%2e%2e',
    `/approvals/${'x'.repeat(65)}`,
  ]) {
    assert.equal(await leadsTo(to), `${stage.url}/`, to);
  }
});

test('a session that was changed, or sealed elsewhere, is none', async () => {
  const browser = await signedIn('eve@example.com');
  const [text = '', signature = ''] = (browser.cookies.get('penstock-session') ?? '').split('.');
  const value = JSON.parse(Buffer.from(text, 'base64url').toString());
  value.value.name = 'ada@example.com';
  browser.cookies.set('penstock-session', `${Buffer.from(JSON.stringify(value)).toString('base64url')}.${signature}`);
  assert.equal((await page(browser)).status, 401);
});

test('programs bring tokens where people sign in, and a bad token is not made good by a session', async () => {
  const token = await stage.identity.mintIdToken('ada@example.com', stage.url, { hd: 'example.com' });
  const overview = `${stage.url}/api/overview`;
  assert.equal((await fetch(overview, { headers: { authorization: `Bearer ${token}` } })).status, 200);
  const browser = await signedIn();
  assert.equal((await browser.go(overview, { headers: { authorization: 'Bearer x' } })).status, 401);
});

test('each sign-in that is refused leaves a line, which names whom the issuer has named, and no code', async (context) => {
  const own = await serveLogin();
  context.after(() => own.close());
  await new Browser(own).go(`${own.url}/api/overview`);
  const unlisted = new Browser(own);
  await unlisted.go(await unlisted.signInAs('grace@example.com'));
  const theirs = await new Browser(own).signInAs('eve@example.com');
  await new Browser(own).go(theirs);
  const misled = new Browser(own);
  await misled.go(await misled.signInAs('ada@example.com'));
  await misled.go(`${own.url}/logout`, { method: 'POST', headers: { origin: 'https://evil.example' } });
  assert.deepEqual(
    own.refusals.map(({ identity, resource, reason }) => [identity, resource, reason]),
    [
      ['unverified', 'Function/dashboard', 'nobody signed in'],
      ['grace@example.com', 'Function/dashboard/login', 'caller not on the list'],
      ['unverified', 'Function/dashboard/login', 'sign-in not begun here'],
      ['ada@example.com', 'Function/dashboard/login', 'form of another page'],
    ],
  );
  const code = new URL(theirs).searchParams.get('code') ?? '';
  assert.ok(code.length > 10 && !JSON.stringify(own.refusals).includes(code));
});

test('openLogin() refuses sessions in the clear, and a key that other instances would not have', async () => {
  const declaration = exampleDeclaration({});
  const open = (audience: string) =>
    openLogin(
      declaration,
      { PENSTOCK_LOGIN_CLIENT: 'c' },
      { issuers: [], audience, callers: ['a@example.com'] },
      { log: noLog, clock: Date.now },
    );
  await assert.rejects(
    open('http://page.example'),
    (error) => error instanceof ConfigError && /HTTPS/.test(error.message),
  );
  await assert.rejects(open('https://page.example'), /PENSTOCK_SESSION_SECRET: is not set/);
  await assert.rejects(open('http://127.0.0.1.evil.example'), /HTTPS/);
});
