import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core';
import { readProgress } from '../../functions/dashboard/sources/trainer-progress.ts';
import { type ControlDatabase, openControlDatabase } from '../functions/dashboard/control-database.ts';
import { fillPeople, withSecrets } from '../functions/dashboard/example-people.ts';
import { exampleFlights, fillEpoch, fillExample } from '../functions/dashboard/example-tables.ts';
import { type Outside, type ServedDashboard, serveDashboard } from '../functions/dashboard/serve-dashboard.ts';
import { findChromium } from './find-chromium.ts';

const DEADLINE_MS = 15_000;
const inPageChecks = fileURLToPath(new URL('dashboard-in-page.js', import.meta.url));

let control: ControlDatabase;
let served: ServedDashboard;
let browser: Browser;
const outside: Outside = { ends: new Map(), trainer: undefined };

before(async () => {
  browser = await chromium.launch({ executablePath: findChromium(), args: ['--no-sandbox'] });
  control = await openControlDatabase();
  const nowMs = Date.now();
  outside.ends = await fillExample(control.database, nowMs);
  outside.trainer = trainerAt(120);
  const shards = Array.from({ length: 400 }, (_, n) => ({
    state: n < 260 ? 'done' : 'waiting',
    rows: 100,
    batches: 1,
  }));
  await fillPeople(control.database, nowMs);
  await fillEpoch(control.database, { id: 'delays-1', state: 'reading', plannedAtMs: nowMs - 60_000 }, shards);
  served = await serveDashboard(control.database, withSecrets(exampleFlights), outside);
});
after(async () => {
  await browser?.close();
  await served?.close();
  await control?.close();
});

test('the page loads without an error, a refused request or a breach of its content policy', async (t) => {
  const { page, troubles } = await openPage(t);
  assert.match(await page.title(), /^\d need you · flights · Penstock$/);
  await refreshed(page);
  assert.deepEqual(troubles, []);
});

test('a refresh morphs in what has changed, and leaves focus, typed text, caret and scroll alone', async (t) => {
  const { page, troubles } = await openPage(t);
  const filter = page.getByRole('searchbox');
  await filter.pressSequentially('fli');
  await page.waitForURL(/q=fli$/);
  await rows(page).nth(2).waitFor({ state: 'detached' });
  await filter.press('ArrowLeft');
  await page.evaluate('scrollTo(0, 200)');
  await rows(page).first().evaluate('(row) => row.setAttribute("data-mark", "same node")');
  const before = await page.evaluate('inPage.reader()');
  assert.deepEqual(before, { focused: 'q', typed: 'fli', caret: 2, scrolled: 200, query: '?q=fli' });
  outside.trainer = trainerAt(4_711);
  await page.getByText('Step 4,711').waitFor({ timeout: DEADLINE_MS });
  assert.deepEqual(await page.evaluate('inPage.reader()'), before);
  assert.equal(await rows(page).count(), 2);
  assert.deepEqual(troubles, []);
});

test('what a reader has opened stays open through a refresh', async (t) => {
  const { page } = await openPage(t);
  await page.getByText('Contains offsets of 2 partitions').click();
  outside.trainer = trainerAt(5_000);
  await page.getByText('Step 5,000').waitFor({ timeout: DEADLINE_MS });
  assert.equal(await page.locator('#contains').getAttribute('open'), '');
});

test('Pause stops the refreshes and Resume starts them, with the keyboard alone', async (t) => {
  const { page } = await openPage(t, {}, async (opened) => await opened.clock.install());
  await page.getByRole('button', { name: 'Pause' }).press('Enter');
  await page.getByRole('button', { name: 'Resume' }).waitFor();
  outside.trainer = trainerAt(6_000);
  const before = await page.evaluate('inPage.refreshes()');
  // A minute of the page's own timers: what would be asked for is counted where it is asked, not where it arrives.
  await page.clock.runFor(60_000);
  assert.equal(await page.evaluate('inPage.refreshes()'), before);
  await page.getByRole('button', { name: 'Resume' }).press('Enter');
  await page.getByText('Step 6,000').waitFor({ timeout: DEADLINE_MS });
  await page.getByRole('button', { name: 'Pause' }).waitFor();
});

test('the page says so when it cannot be reached, keeps what it shows, and recovers', async (t) => {
  const { page } = await openPage(t);
  await page.route('**/*', (route) => route.abort());
  await page.getByText('Not reached').waitFor({ timeout: DEADLINE_MS });
  assert.ok((await rows(page).count()) > 0);
  await page.unroute('**/*');
  await page.getByText('Not reached').waitFor({ state: 'hidden', timeout: DEADLINE_MS });
});

test('the page works without JavaScript: content, filter, state and pause', async (t) => {
  const { page } = await openPage(t, { javaScriptEnabled: false });
  assert.equal(await rows(page).count(), 6);
  await page.getByRole('searchbox').fill('orders');
  await page.getByRole('searchbox').press('Enter');
  await page.waitForURL(/q=orders/);
  assert.equal(await rows(page).count(), 1);
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.waitForURL(/paused=1/);
  assert.match(page.url(), /q=orders/);
  assert.equal(await page.locator('meta[http-equiv="refresh"]').count(), 0);
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.waitForURL((url) => !url.search.includes('paused'));
});

test('hostile strings stay text through load and refresh', async (t) => {
  const { page, troubles } = await openPage(t);
  await refreshed(page);
  for (const part of ['dead-letters', 'needs', 'approvals', 'secrets', 'audit']) {
    assert.equal(await page.locator(`#${part} img, #${part} script`).count(), 0, part);
    const text = await page.locator(`#${part}`).textContent();
    assert.ok(text?.includes('<img src=x onerror='), part);
    assert.doesNotMatch(text ?? '', /\u202e/, part);
  }
  assert.doesNotMatch(await page.title(), /owned/);
  assert.deepEqual(troubles, []);
});

test('every part has a name: one h1, headings in order, landmarks, pictures, fields, tables, unique ids', async (t) => {
  const { page } = await openPage(t);
  assert.deepEqual(await page.evaluate('inPage.unnamed()'), []);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`text stands out from its ground by 4.5 to 1, ${colorScheme}`, async (t) => {
    const { page } = await openPage(t, { colorScheme });
    assert.deepEqual(await page.evaluate('inPage.faintTexts()'), []);
  });
}

test('no screen needs a sideways scroll, whatever people have written', async (t) => {
  for (const width of [320, 390, 768, 1_240]) {
    const { page } = await openPage(t, { viewport: { width, height: 800 } });
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), width);
    assert.deepEqual(await page.evaluate('inPage.wideParts()'), [], `${width} px`);
  }
});

test('keyboard focus can be seen wherever it goes', async (t) => {
  const { page } = await openPage(t);
  for (let presses = 1; presses <= 20; presses += 1) {
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('inPage.focusShows()'), true, `after ${presses} presses`);
  }
});

/** Opens the page as a reader of its own, and notes everything that a browser complains of. */
async function openPage(
  t: TestContext,
  options: BrowserContextOptions = {},
  prepare: (page: Page) => Promise<void> = async () => {},
): Promise<{ page: Page; troubles: string[] }> {
  const context = await browser.newContext({ viewport: { width: 1_240, height: 900 }, ...options });
  t.after(() => context.close());
  if (options.javaScriptEnabled !== false) await context.addInitScript({ path: inPageChecks });
  const page = await context.newPage();
  await prepare(page);
  const troubles: string[] = [];
  page.on('console', (message) => troubles.push(`console ${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => troubles.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    troubles.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('response', (response) => {
    if (response.status() >= 400) troubles.push(`${response.status()} ${response.url()}`);
  });
  await page.goto(served.url);
  return { page, troubles };
}

function rows(page: Page): Locator {
  return page.locator('#pipelines-table tbody tr');
}

/** Waits until the page's own script has asked once more. */
async function refreshed(page: Page): Promise<void> {
  const answer = await page.waitForResponse((response) => response.request().headers()['penstock-refresh'] === '1', {
    timeout: DEADLINE_MS,
  });
  await answer.finished();
}

function trainerAt(steps: number): Outside['trainer'] {
  const evaluations = [1, 2, 3].map((pass) => ({
    pass,
    step: pass * 30,
    loss: 0.7 - pass * 0.08,
    auc: 0.58 + pass * 0.02,
  }));
  const losses = Array.from({ length: 40 }, (_, n) => ({ step: n * 3, loss: 0.4 + 0.3 * Math.exp(-n / 9) }));
  return readProgress({
    state: 'training',
    batches: 40,
    rows: 26_000,
    position: { pass: 3, batch: 2 },
    passes: 6,
    steps,
    rowsSeenOnce: 26_000,
    training: { firstLoss: 0.7, lastLoss: 0.4, losses, evaluations, auc: 0.64, baselineAuc: 0.61 },
    waitShare: 0.012,
  });
}
