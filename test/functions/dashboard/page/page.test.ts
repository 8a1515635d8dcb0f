import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { renderNotice, renderPage } from '../../../../functions/dashboard/page/page.ts';
import type { PageOptions } from '../../../../functions/dashboard/page/page-options.ts';
import type { Sources } from '../../../../functions/dashboard/sources/sources.ts';
import { viewOverview } from '../../../../functions/dashboard/view/overview.ts';
import { type Approval, requestApproval } from '../../../../shared/model/approvals/approval.ts';
import type { Declaration } from '../../../../shared/model/config/declaration.ts';
import { exampleDeclaration, kafka, pubsub } from '../example-declaration.ts';
import {
  deadLetter,
  epochRow,
  kafkaSource,
  NOW,
  rotatedSecret,
  rotationRecord,
  shardRows,
  sourcesOf,
  trainer,
} from '../example-sources.ts';

const declaration: Declaration = {
  ...exampleDeclaration({ flights: kafka('flights'), airports: pubsub('airports') }),
  secrets: { 'kafka-sink': rotatedSecret('kafka-sink'), spare: rotatedSecret('spare') },
};
const DAY = 86_400_000;
const assets = { css: '/assets/page.css', morph: '/assets/m.js', script: '/assets/page.js', icon: '/assets/icon.svg' };
const options: PageOptions = { base: '', assets, search: '', filter: 'all', paused: false, visitor: 'bob' };

const render = async (parts: Partial<Sources> = {}, changed: Partial<PageOptions> = {}) =>
  String(await renderPage(viewOverview(sourcesOf(declaration, parts)), { ...options, ...changed }));

/** Tags as an HTML tokenizer finds them: text that was escaped holds none. */
const tagsOf = (page: string) => [...page.matchAll(/<\/?([a-z][a-z0-9]*)/gi)].map(([, name]) => name?.toLowerCase());

function busy(text: string): Partial<Sources> {
  const letter = deadLetter(text, 1_000, { reason: text, topic: text, class: text, pipeline: text });
  const again = { redriven: true, redrivenAtMs: NOW, redrivenBy: text, pipeline: text };
  const source = kafkaSource(
    [
      {
        commits: [
          [0, 40],
          [50, 60],
        ],
      },
    ],
    { deadLetters: [letter, deadLetter(`${text}2`, 900, again)] },
  );
  return {
    pipelines: new Map([['flights', source]]),
    epochs: [
      epochRow(text, 60_000, {
        state: text,
        feed: 'delays',
        error: text,
        outline: { checkpoints: [{ pipeline: text, topic: text, partition: text, nextOffset: text }] },
      }),
    ],
    shards: shardRows('done', 'failed').map((shard) => (shard.error === undefined ? shard : { ...shard, error: text })),
    trainer: trainer({ state: text, error: text }),
    approvals: [hostileApproval(text)],
    secrets: new Map([
      [
        'kafka-sink',
        {
          rotations: [
            rotationRecord(90 * DAY),
            rotationRecord(DAY, {
              id: text,
              requestedBy: text,
              step: 'failed',
              failedStep: 'test',
              finishedAtMs: undefined,
              reason: text,
            }),
          ],
          users: [{ holder: text, version: 1, seenAtMs: NOW }],
        },
      ],
    ]),
    deadLetterHeads: [{ pipeline: text, id: text, key: Buffer.from(text), value: Buffer.from(text) }],
  };
}

/** All that people and their requests could have written. */
function hostileApproval(text: string): Approval {
  const act = {
    action: 'redrive',
    resource: { type: 'Pipeline', name: text },
    content: { [`a${text}`]: text },
  } as const;
  const asked = requestApproval(act, { id: 'a1', requestedBy: `ada${text}`, nowMs: NOW, withinMs: 60_000 });
  return { ...asked, decidedBy: text, decidedAtMs: NOW, startedAtMs: NOW, reason: text, error: text };
}

test('renderPage() makes the same tags whatever the data says', async () => {
  const plain = tagsOf(await render(busy('plain')));
  const hostile = `"'\`><img src=x onerror=alert(1)><script>alert(1)</script></title></textarea><!--\${7*7}&lt;`;
  assert.deepEqual(tagsOf(await render(busy(hostile))), plain);
  await fc.assert(
    fc.asyncProperty(
      fc.string({
        unit: fc.constantFrom('<', '>', '"', "'", '&', 'a', '/', '=', '`', '\n'),
        minLength: 1,
        maxLength: 30,
      }),
      async (text) => {
        assert.deepEqual(tagsOf(await render(busy(text))), plain);
      },
    ),
    { numRuns: 60 },
  );
});

test('renderPage() lets no data out of an attribute', async () => {
  const page = await render(busy('" onmouseover="alert(1)" x="'), { search: '" autofocus onfocus="alert(1)' });
  const outsideOfQuotes = page.replaceAll(/"[^"<>]*"/g, '""');
  const handlers = [...outsideOfQuotes.matchAll(/<[^>]*\s(on[a-z]+|style|autofocus)\b[^>]*>/gi)].map(([tag]) => tag);
  assert.deepEqual(handlers, []);
});

test('renderPage() says each state in words beside its sign', async () => {
  const page = await render(busy('plain'));
  assert.match(page, /10 lost/);
  assert.match(page, /Broken:/);
  assert.match(page, /1 shard failed/);
});

test('renderPage() has one h1, a caption for each table, and a name for each picture', async () => {
  const page = await render(busy('plain'));
  assert.equal(page.match(/<h1/g)?.length, 1);
  assert.equal(page.match(/<table/g)?.length, page.match(/<caption/g)?.length);
  for (const [picture] of page.matchAll(/<svg[^>]*>/g)) assert.match(picture, /aria-hidden="true"|aria-label="[^"]+"/);
});

test('renderPage() filters by name and by state, and keeps what was typed', async () => {
  const parts = {
    pipelines: new Map([
      ['flights', kafkaSource([{ commits: [[0, 40]] }])],
      ['airports', kafkaSource([])],
    ]),
  };
  const found = await render(parts, { search: 'AIR' });
  assert.match(found, /<span class="name">airports</);
  assert.doesNotMatch(found, /<span class="name">flights</);
  assert.match(found, /value="AIR"/);
  assert.match(await render(parts, { search: 'nothing' }), /No pipeline matches/);
  assert.doesNotMatch(await render(parts, { filter: 'attention' }), /<span class="name">(flights|airports)</);
  assert.match(await render(parts, { filter: 'flowing' }), /aria-current="true">Flowing 1/);
});

test('renderPage() loads itself again without a script, unless it is paused', async () => {
  assert.match(await render(), /<noscript><meta http-equiv="refresh"/);
  const paused = await render({}, { paused: true });
  assert.doesNotMatch(paused, /http-equiv="refresh"/);
  assert.match(paused, />Resume<\/button>/);
});

test('renderPage() lists the shards that are read, with rows/s and time left, without a script', async () => {
  const shards = shardRows('done', ...Array.from({ length: 25 }, () => 'reading')).map((shard) =>
    shard.state === 'reading' ? { ...shard, rowCount: 10 * shard.shard } : shard,
  );
  const outline = { rowCount: 26_000 };
  const page = await render({ epochs: [epochRow('e1', 60_000, { shardCount: 26, outline })], shards });
  const [list = ''] = /<details id="reading" open>.*?<\/details>/s.exec(page) ?? [];
  assert.match(list, /25 shards being read/);
  assert.equal(list.match(/<tr><th scope="row">/g)?.length, 20);
  assert.match(list, /<th scope="row">1<\/th><td class="num">1.0 %<\/td><td class="num">10<\/td>/);
  assert.match(list, /5 further shards that need less/);
});

test('renderPage() draws 10,000 shards in a few KB', async () => {
  const states = Array.from({ length: 10_000 }, (_, n) => (n % 997 === 0 ? 'failed' : n < 6_800 ? 'done' : 'waiting'));
  const page = await render({ epochs: [epochRow('e1', 60_000, { shardCount: 10_000 })], shards: shardRows(...states) });
  const map = /<svg class="shards[^>]*>.*?<\/svg>/s.exec(page)?.[0] ?? '';
  assert.ok(map.length < 14_000, `${map.length} characters`);
  assert.match(map, /aria-label="10,000 shards in key order: 6,793 done, 3,196 waiting, 11 failed"/);
});

test('renderPage() shows an empty house with what to do in it', async () => {
  const page = await render();
  assert.match(page, /Ready\. Nothing has started yet\./);
  assert.match(page, /npx penstock run kafka-sink/);
  assert.match(page, /No epoch yet/);
  assert.match(page, new RegExp(new Date(NOW).toISOString().slice(11, 19)));
});

test('renderNotice() escapes what it tells', async () => {
  const notice = String(await renderNotice({ title: '<b>', detail: '<i>', command: '<u>', retry: true }, assets));
  assert.doesNotMatch(notice, /<[biu]>/);
  assert.match(notice, /http-equiv="refresh"/);
});

test('renderPage() marks a secret that failed or is overdue, with the command to go on, and names who is on an old version', async () => {
  const page = await render(busy('refused by the broker'));
  const row = /<tr class="bad">\s*<th scope="row"><span class="name">kafka-sink<[\s\S]*?<\/tr>/.exec(page)?.[0] ?? '';
  assert.match(row, /Overdue, failed/);
  assert.match(row, /refused by the broker/);
  assert.match(row, /1 process<span class="sub">refused by the broker on 1</);
  assert.match(row, /npx penstock rotate kafka-sink/);
  assert.match(row, /failed at step test, 20 Nov 06:28:2/);
  assert.match(row, /62 d late/);
  assert.match(page, /<tr class="idle">\s*<th scope="row"><span class="name">spare</);
  assert.match(page, /<h3>Secret kafka-sink is 62 d overdue<\/h3>[\s\S]*?At step test: refused by the broker/);
});

test('renderPage() has no section of secrets where none is declared', async () => {
  const without = viewOverview(sourcesOf({ ...declaration, secrets: {} }));
  assert.doesNotMatch(String(await renderPage(without, options)), /id="secrets"|href="#secrets"/);
});
