import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';
import { type LoginStage, serveLogin } from '../functions/dashboard/login/serve-login.ts';
import { findChromium } from './find-chromium.ts';

let stage: LoginStage;
let browser: Browser;
before(async () => {
  browser = await chromium.launch({ executablePath: findChromium(), args: ['--no-sandbox'] });
  stage = await serveLogin();
});
after(async () => {
  await browser?.close();
  await stage?.close();
});

/** Signs in as a person does, without JavaScript where told. */
async function signIn(name: string, javaScriptEnabled = true): Promise<Page> {
  const page = await (await browser.newContext({ javaScriptEnabled })).newPage();
  await page.goto(stage.url);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await page.getByRole('button', { name }).click();
  return page;
}

for (const javaScriptEnabled of [true, false]) {
  test(`a person signs in, looks, and signs out, ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async () => {
    const page = await signIn('Ada', javaScriptEnabled);
    await page.getByText('ada@example.com').waitFor();
    assert.equal(new URL(page.url()).pathname, '/');
    const [cookie] = (await page.context().cookies()).filter(({ name }) => name === 'penstock-session');
    assert.deepEqual([cookie?.httpOnly, cookie?.sameSite], [true, 'Strict']);
    const answered = page.waitForResponse((response) => response.url().endsWith('/logout'));
    await page.getByRole('button', { name: 'Sign out' }).click();
    assert.equal((await answered).status(), 303);
    await page.getByRole('heading', { name: 'Sign in to see this page' }).waitFor();
    assert.equal((await page.request.get(`${stage.url}/api/overview`)).status(), 401);
    await page.context().close();
  });
}

test('another site can neither frame the page, nor read it, nor sign a person out', async () => {
  const page = await signIn('Ada');
  await page.getByText('ada@example.com').waitFor();
  const evil = createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html');
    answer.end(`<iframe src="${stage.url}/"></iframe>
      <form method="post" action="${stage.url}/logout"><input name="token" value="x"><button>Win a prize</button></form>`);
  }).listen(0, '127.0.0.1');
  await once(evil, 'listening');
  const address = evil.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const tab = await page.context().newPage();
  const framed = tab.waitForEvent('console', (message) => /frame-ancestors|X-Frame-Options/i.test(message.text()));
  // By another name: cookies of 127.0.0.1 are another site's there.
  await tab.goto(`http://localhost:${port}/`);
  await framed;
  const read = await tab.evaluate(
    `fetch(${JSON.stringify(`${stage.url}/api/overview`)}, { credentials: 'include' }).then(() => 'read', () => 'refused')`,
  );
  assert.equal(read, 'refused');
  const answered = tab.waitForResponse((response) => response.url().endsWith('/logout'));
  await tab.getByRole('button', { name: 'Win a prize' }).click();
  assert.equal((await answered).status(), 401);
  await page.reload();
  await page.getByText('ada@example.com').waitFor();
  evil.closeAllConnections();
  evil.close();
});
