import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { hostile } from '../functions/dashboard/example-tables.ts';
import { type ApprovalsStage, openApprovalsStage, signIn } from './approvals-stage.ts';
import { findChromium } from './find-chromium.ts';

const MINUTE_MS = 60_000;

let stage: ApprovalsStage;
let browser: Browser;
before(async () => {
  browser = await chromium.launch({ executablePath: findChromium(), args: ['--no-sandbox'] });
  stage = await openApprovalsStage();
});
after(async () => {
  await browser?.close();
  await stage?.close();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

/** Somebody in a browser of their own. */
async function person(name: string, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await (await browser.newContext(options)).newPage();
  await signIn(page, stage.url, name);
  return page;
}

async function open(page: Page, id: string): Promise<void> {
  await page.goto(`${stage.url}/approvals/${id}`);
  await page.getByRole('heading', { level: 1 }).waitFor();
}

const approve = (page: Page) => page.getByRole('button', { name: 'Approve' });
const stands = async (page: Page, words: string) => page.locator('.state', { hasText: words }).waitFor();

/** Sends the form that the page did not offer, from the page itself. */
async function approveByHand(page: Page, id: string): Promise<number | undefined> {
  const digest = await page.request
    .get(`${stage.url}/api/approvals`)
    .then((answer) => answer.json())
    .then(({ approvals }) => approvals.find((one: { id: string }) => one.id === id)?.digest);
  const answered = page.waitForResponse((response) => response.request().method() === 'POST');
  const fields = JSON.stringify({ says: 'approve', seen: digest });
  await page.evaluate(`{
    const form = document.createElement('form');
    form.method = 'post';
    form.action = ${JSON.stringify(`/approvals/${id}`)};
    for (const [name, value] of Object.entries(${fields})) {
      const field = document.createElement('input');
      field.name = name;
      field.value = value;
      form.append(field);
    }
    document.body.append(form);
    form.submit();
  }`);
  return (await answered).status();
}

test('a request waits on the page for somebody else, and then runs exactly once by a command of who asked', async () => {
  const id = await stage.ask();
  const ada = await person('Ada');
  await ada
    .locator('#needs')
    .getByRole('link', { name: /^Review.*redrive Pipeline.orders/ })
    .click();
  await ada.getByText('You asked for this: somebody else has to say yes.').waitFor();
  assert.equal(await approve(ada).count(), 0);
  assert.equal(await approveByHand(ada, id), 403);
  await ada.getByText('nobody approves their own request').waitFor();

  const eve = await person('Eve');
  await open(eve, id);
  await eve.getByText('Policies let you look at this, not decide about it.').waitFor();
  assert.equal(await eve.getByRole('button').count(), 0);
  assert.equal(await approveByHand(eve, id), 403);
  assert.equal((await stage.penstock('ada', 'dead-letters', 'redrive', 'orders')).status, 1, 'nobody has said yes');

  const grace = await person('Grace', { javaScriptEnabled: false });
  await grace
    .locator('#needs')
    .getByRole('link', { name: /^Review/ })
    .click();
  await grace.getByText('ada@example.com').waitFor();
  await approve(grace).click();
  await stands(grace, 'Approved, not run yet');
  await grace.getByText('ada@example.com may do the same again now').waitFor();
  await grace.reload();
  await stands(grace, 'Approved, not run yet');
  assert.equal((await stage.penstock('grace', 'dead-letters', 'redrive', 'orders')).status, 1, 'the yes is Ada’s');

  const runs = await Promise.all([1, 2].map(() => stage.penstock('ada', 'dead-letters', 'redrive', 'orders')));
  assert.deepEqual(runs.map(({ status }) => status).sort(), [0, 1]);
  assert.deepEqual(await stage.letters.query('SELECT COUNT(*) AS n FROM Orders'), [{ n: 2 }]);
  await open(ada, id);
  await stands(ada, 'Done');
  assert.match((await stage.penstock('ada', 'dead-letters', 'redrive', 'orders')).error, /needs a second person/);
});

test('a no has its reason, Enter in the reason never says yes, and who asked reads why', async () => {
  const id = await stage.ask('--class', 'undecodable');
  const grace = await person('Grace');
  await open(grace, id);
  const reason = `Not before the release ${hostile}`;
  await grace.getByLabel('Reason').fill(reason);
  await grace.keyboard.press('Enter');
  await stands(grace, 'Denied');
  const ada = await person('Ada');
  await open(ada, id);
  await ada.getByText('Not before the release').waitFor();
  await ada.getByText('grace@example.com').waitFor();
  assert.equal(await ada.locator('main img, main script, main form').count(), 0);
  assert.doesNotMatch(await ada.title(), /owned/);
  assert.notEqual(await stage.ask('--class', 'undecodable'), id, 'it has to be asked for anew');
});

test('who asked takes a request back, and nobody can approve it then', async () => {
  const id = await stage.ask('--class', 'too-large');
  const grace = await person('Grace');
  await open(grace, id);
  const ada = await person('Ada');
  await open(ada, id);
  await ada.getByRole('button', { name: 'Take back' }).click();
  await stands(ada, 'Denied');
  await approve(grace).click();
  await grace.getByRole('heading', { name: 'Settled' }).waitFor();
  await grace.getByRole('link', { name: 'Look at it as it stands now' }).click();
  await stands(grace, 'Denied');
});

test('a request whose time is over is approved by nobody who still has it open', async () => {
  const id = await stage.ask('--class', 'constraint');
  stage.later(119 * MINUTE_MS);
  const grace = await person('Grace');
  await open(grace, id);
  stage.later(2 * MINUTE_MS);
  await approve(grace).click();
  await grace.getByRole('heading', { name: 'Expired' }).waitFor();
  await grace.getByRole('link', { name: 'Look at it as it stands now' }).click();
  await stands(grace, 'Expired');
  await grace.getByText('Nobody decided in time, and nothing was done.').waitFor();
  assert.equal(await grace.getByRole('button').count(), 0);
  stage.later(-121 * MINUTE_MS);
});

test('a yes of a session that has ended decides nothing, and signing in leads back to the request', async () => {
  const id = await stage.ask('--class', 'conflict');
  const grace = await person('Grace');
  await open(grace, id);
  stage.later(61 * MINUTE_MS);
  await approve(grace).click();
  await grace.getByText('Nothing was decided.').waitFor();
  await grace.getByRole('link', { name: 'Sign in' }).click();
  await grace.getByRole('button', { name: 'Grace' }).click();
  await grace.waitForURL(`${stage.url}/approvals/${id}`);
  await stands(grace, 'Waits for a second person');
  const other = await grace.context().newPage();
  await other.goto(stage.url);
  await other.getByRole('button', { name: 'Sign out' }).click();
  await other.getByRole('link', { name: 'Sign in' }).waitFor();
  await approve(grace).click();
  await grace.getByText('Nothing was decided.').waitFor();
  await grace.getByRole('link', { name: 'Sign in' }).click();
  await grace.getByRole('button', { name: 'Grace' }).click();
  await approve(grace).click();
  await stands(grace, 'Approved, not run yet');
  stage.later(-61 * MINUTE_MS);
});

test('of two tabs that say yes at once one does, and the other is told', async () => {
  const id = await stage.ask('--class', 'unmappable');
  const one = await person('Grace');
  const two = await one.context().newPage();
  await open(one, id);
  await open(two, id);
  const { promise: bothPressed, resolve } = Promise.withResolvers<void>();
  let pressed = 0;
  await one.context().route(`**/approvals/${id}`, async (route) => {
    if (route.request().method() === 'POST') {
      pressed += 1;
      if (pressed === 2) resolve();
      await bothPressed;
    }
    await route.continue();
  });
  const statuses = await Promise.all(
    [one, two].map(async (tab) => {
      const answered = tab.waitForResponse((response) => response.request().method() === 'POST');
      await approve(tab).click();
      return (await answered).status();
    }),
  );
  assert.deepEqual(statuses.sort(), [303, 409]);
  await open(one, id);
  await stands(one, 'Approved, not run yet');
});
