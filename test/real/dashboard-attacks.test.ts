import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { type ApprovalsStage, openApprovalsStage, signIn } from './approvals-stage.ts';
import { findChromium } from './find-chromium.ts';
import { type OtherSite, openOtherSite } from './other-site.ts';

let stage: ApprovalsStage;
let other: OtherSite;
let browser: Browser;
/** A request of Ada's, which every attack here wants Grace to approve. */
let wanted: string;
let digest: string;

before(async () => {
  browser = await chromium.launch({ executablePath: findChromium(), args: ['--no-sandbox'] });
  stage = await openApprovalsStage();
  other = await openOtherSite();
  wanted = await stage.ask();
  const [row] = await stage.letters.query('SELECT Digest FROM PenstockApprovals');
  digest = String(row?.Digest);
});
after(async () => {
  await browser?.close();
  await other?.close();
  await stage?.close();
});
afterEach(async () => {
  stage.without();
  for (const context of browser.contexts()) await context.close();
  // Whatever was tried, nobody has said anything.
  assert.deepEqual(await stage.letters.query('SELECT DISTINCT State, DecidedBy FROM PenstockApprovals'), [
    { State: 'requested', DecidedBy: null },
  ]);
});

/** Grace, signed in. */
async function grace(options: BrowserContextOptions = {}): Promise<Page> {
  const page = await (await browser.newContext(options)).newPage();
  await signIn(page, stage.url, 'Grace');
  return page;
}

const requestUrl = (): string => `${stage.url}/approvals/${wanted}`;
const forged = (): string => String(new URLSearchParams({ says: 'approve', seen: digest }));

/** Opens a page of the other site in another tab of the same browser. */
async function lure(page: Page, origin: string, body: string): Promise<Page> {
  const tab = await page.context().newPage();
  await tab.goto(other.show(origin, body));
  return tab;
}

for (const [name, status] of [
  // Another port of the same host: a browser counts it as the same site, and cookies go along.
  ['sameSite', 403],
  // Another host: a strict cookie stays behind.
  ['crossSite', 401],
] as const) {
  test(`a form that another origin posts says nothing for who is signed in: ${name}`, async () => {
    const tab = await lure(
      await grace(),
      other[name],
      `<form method="post" action="${requestUrl()}"><input name="says" value="approve"><input name="seen" value="${digest}">
<button>Win a prize</button></form>`,
    );
    const answered = tab.waitForResponse((response) => response.request().method() === 'POST');
    await tab.getByRole('button', { name: 'Win a prize' }).click();
    assert.equal((await answered).status(), status);
  });

  test(`a script of another origin can neither say yes nor read: ${name}`, async () => {
    const tab = await lure(await grace(), other[name], '');
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    const tries = {
      post: [requestUrl(), { method: 'POST', mode: 'no-cors', credentials: 'include', headers: type, body: forged() }],
      postAndRead: [requestUrl(), { method: 'POST', credentials: 'include', headers: type, body: forged() }],
      put: [requestUrl(), { method: 'PUT', credentials: 'include', headers: type, body: forged() }],
      read: [`${stage.url}/api/approvals`, { credentials: 'include' }],
      load: [`${stage.url}/api/approvals`, { mode: 'no-cors', credentials: 'include' }],
    };
    for (const [what, sent] of Object.entries(tries)) {
      const came = await tab.evaluate(`fetch(...${JSON.stringify(sent)}).then(() => 'came', () => 'refused')`);
      assert.equal(came, 'refused', what);
    }
    const drawn = await tab.evaluate(
      `new Promise((end) => {
        const picture = new Image();
        picture.onload = () => end('came');
        picture.onerror = () => end('refused');
        picture.src = ${JSON.stringify(`${stage.url}/assets/icon.svg`)};
      })`,
    );
    assert.equal(drawn, 'refused');
  });
}

test('without its word on who may load, another origin would at least get at an answer', async () => {
  stage.without('cross-origin-resource-policy');
  const tab = await lure(await grace(), other.sameSite, '');
  const came = await tab.evaluate(
    `fetch(${JSON.stringify(`${stage.url}/api/approvals`)}, { mode: 'no-cors', credentials: 'include' }).then(({ type }) => type)`,
  );
  assert.equal(came, 'opaque');
});

/** The request in a frame of the other site; undefined where the browser has refused it. */
async function framed(tab: Page): Promise<ReturnType<Page['frames']>[number] | undefined> {
  const frame = tab.frames()[1];
  assert.ok(frame, 'the other site has no frame');
  await frame.waitForLoadState();
  return frame.url().startsWith('chrome-error:') ? undefined : frame;
}

for (const missing of [[], ['content-security-policy'], ['x-frame-options']]) {
  const left = missing.length === 0 ? 'both of its words' : `all but ${missing.join(', ')}`;
  test(`a request in a frame of another origin is not shown, by ${left}`, async () => {
    stage.without(...missing);
    const page = await grace();
    for (const origin of [other.sameSite, other.crossSite]) {
      const tab = await lure(page, origin, `<iframe src="${requestUrl()}"></iframe>`);
      // Not the frame itself: what an assertion prints of a frame of Playwright's fills all memory.
      assert.equal((await framed(tab)) === undefined, true, origin);
    }
  });
}

test('a press in a frame decides nothing, even where a browser shows frames', async () => {
  stage.without('content-security-policy', 'x-frame-options');
  const tab = await lure(await grace(), other.sameSite, `<iframe src="${requestUrl()}"></iframe>`);
  const frame = await framed(tab);
  assert.ok(frame, 'with neither word the attack is possible, or this test would see nothing');
  const answered = tab.waitForResponse((response) => response.request().method() === 'POST');
  await frame.getByRole('button', { name: 'Approve' }).click();
  assert.equal((await answered).status(), 403);
});

test('a site that opens the page loses its hold on the window, and only by the page’s word', async () => {
  const opened = async (): Promise<unknown> => {
    const tab = await lure(await grace(), other.sameSite, '');
    const popup = tab.waitForEvent('popup');
    await tab.evaluate(`window.held = window.open(${JSON.stringify(requestUrl())}); undefined`);
    await (await popup).getByRole('heading', { level: 1 }).waitFor();
    return await tab.evaluate('window.held.closed');
  };
  assert.equal(await opened(), true);
  stage.without('cross-origin-opener-policy');
  assert.equal(await opened(), false);
});

/** What somebody would try who got a string of theirs taken for markup or code. */
const slipped = (evil: string): string[] => [
  `document.body.innerHTML += '<img src=${evil}/picture onerror="document.title = 1">'`,
  `document.body.append(Object.assign(document.createElement('img'), { src: '${evil}/picture' }))`,
  `document.body.append(Object.assign(document.createElement('script'), { src: '${evil}/script' }))`,
  `document.body.append(Object.assign(document.createElement('script'), { textContent: 'document.title = 1' }))`,
  `document.body.append(Object.assign(document.createElement('iframe'), { src: '${evil}/frame' }))`,
  `document.body.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: '${evil}/style' }))`,
  `document.head.append(Object.assign(document.createElement('base'), { href: '${evil}/' }))`,
  `fetch('${evil}/fetch', { mode: 'no-cors' }).catch(() => undefined)`,
  `navigator.sendBeacon('${evil}/beacon')`,
  `(() => {
    const form = document.body.appendChild(document.createElement('form'));
    form.action = '${evil}/form';
    form.target = '_blank';
    form.submit();
  })()`,
];

/** Grace's page, after all of it was tried in there. */
async function tried(): Promise<Page> {
  const page = await grace();
  await page.goto(requestUrl());
  other.forget();
  for (const code of slipped(other.crossSite)) await page.evaluate(`try { ${code}; } catch {}`);
  return page;
}

test('what slips into the page loads nothing from elsewhere, runs nothing and sends nothing', async () => {
  const page = await tried();
  // The same browser asks the other site, so that what was sent before has arrived.
  await (await page.context().newPage()).goto(other.show(other.crossSite, 'last'));
  assert.deepEqual(other.heard(), []);
  assert.notEqual(await page.title(), '1');
  assert.equal(await page.evaluate('document.baseURI'), requestUrl());
});

test('without its content policy the page would load, run and send all of it', async () => {
  stage.without('content-security-policy');
  const page = await tried();
  await other.hears(['/picture', '/script', '/frame', '/style', '/fetch', '/beacon', '/form']);
  assert.equal(await page.title(), '1');
  assert.equal(await page.evaluate('document.baseURI'), `${other.crossSite}/`);
});

test('another’s sign-in makes nobody somebody else: not who is signed in, who is not, or who is about to', async () => {
  const eve = await (await browser.newContext()).newPage();
  const caught = eve.waitForRequest((request) => request.url().includes('/login/callback'));
  await eve.route('**/login/callback**', (route) => route.abort());
  await eve.goto(stage.url);
  await eve.getByRole('link', { name: 'Sign in' }).click();
  await eve.getByRole('button', { name: 'Eve' }).click();
  const theirs = new URL((await caught).url());

  const signedIn = await grace();
  assert.equal((await signedIn.goto(theirs.href))?.status(), 401);
  await signedIn.goto(stage.url);
  await signedIn.getByText('grace@example.com').waitFor();

  const nobody = await (await browser.newContext()).newPage();
  assert.equal((await nobody.goto(theirs.href))?.status(), 401);

  const begun = await (await browser.newContext()).newPage();
  await begun.goto(stage.url);
  await begun.getByRole('link', { name: 'Sign in' }).click();
  const own = new URL(begun.url()).searchParams.get('state') ?? '';
  assert.notEqual(own, '');
  const mixed = await begun.goto(theirs.href);
  assert.equal(mixed?.status(), 401);
  assert.match((await mixed?.text()) ?? '', /This sign-in was not begun here/);
  theirs.searchParams.set('state', own);
  assert.equal((await begun.goto(theirs.href))?.status(), 401, 'the code was given to another sign-in');
  for (const page of [nobody, begun]) {
    const cookies = await page.context().cookies();
    assert.ok(!cookies.some(({ name }) => name === 'penstock-session'));
  }
});

test('the session’s cookie is kept from scripts, from other sites, and past its hour', async () => {
  const page = await grace();
  const [cookie] = (await page.context().cookies()).filter(({ name }) => name === 'penstock-session');
  assert.ok(cookie);
  const { httpOnly, sameSite, secure, path, domain, expires } = cookie;
  assert.deepEqual([httpOnly, sameSite, secure, path, domain], [true, 'Strict', false, '/', '127.0.0.1']);
  assert.ok(expires > 0 && expires * 1_000 <= Date.now() + 3_600_000);
  assert.equal(await page.evaluate('document.cookie'), '');
});

test('over HTTPS the cookie belongs to this host alone, never travels in the clear, and signing in works by it', async () => {
  const secure = await openApprovalsStage({ isSecure: true });
  try {
    const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
    await signIn(page, secure.url, 'Grace');
    const cookies = await page.context().cookies();
    assert.deepEqual(
      cookies.map(({ name, secure: isSecure, httpOnly, sameSite, path }) => [name, isSecure, httpOnly, sameSite, path]),
      [['__Host-penstock-session', true, true, 'Strict', '/']],
    );
  } finally {
    await secure.close();
  }
});
