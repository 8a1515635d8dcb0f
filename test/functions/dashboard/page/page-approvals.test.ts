import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderApproval } from '../../../../functions/dashboard/page/page-approvals.ts';
import { viewApproval, wholeCharacters } from '../../../../functions/dashboard/view/approval-view.ts';
import { type Approval, type ApprovalState, requestApproval } from '../../../../shared/model/approvals/approval.ts';
import { NOW } from '../example-sources.ts';

const assets = { css: '/assets/page.css', morph: '/assets/m.js', script: '/assets/page.js', icon: '/assets/icon.svg' };
const states: readonly ApprovalState[] = ['requested', 'approved', 'running', 'done', 'failed', 'denied'];

function approvalOf(text: string, parts: Partial<Approval> = {}): Approval {
  const subject = {
    action: 'redrive',
    resource: { type: 'Pipeline', name: text },
    content: { [`a${text}`]: text, letters: [1, text] },
  } as const;
  const by = { id: 'a-1', requestedBy: `ada${text}`, nowMs: NOW, withinMs: 60_000 };
  return { ...requestApproval(subject, by), ...parts };
}

async function render(approval: Approval, { visitor = 'bob', mayDecide = true, nowMs = NOW } = {}): Promise<string> {
  return String(
    await renderApproval(viewApproval(approval, nowMs, wholeCharacters), { base: '/x', visitor, assets, mayDecide }),
  );
}

const tagsOf = (page: string) => [...page.matchAll(/<\/?([a-z][a-z0-9]*)/gi)].map(([, name]) => name);

test('renderApproval() makes the same tags whatever the request says, in every state', async () => {
  const hostile = `"'\`><img src=x onerror=alert(1)><script>alert(1)</script></title><form action=//evil><!--\u202e`;
  for (const state of states) {
    const of = (text: string) => approvalOf(text, { state, decidedBy: text, reason: text, error: text });
    const page = await render(of(hostile));
    assert.deepEqual(tagsOf(page), tagsOf(await render(of('plain'))), state);
    assert.doesNotMatch(page, /\u202e/, state);
  }
});

test('renderApproval() offers a yes only to somebody else whom policies let decide, and only while it waits', async () => {
  const offers = async (approval: Approval, as: Parameters<typeof render>[1]) =>
    [...(await render(approval, as)).matchAll(/name="says" value="(\w+)"/g)].map(([, says]) => says);
  const waiting = approvalOf('p', { requestedBy: 'ada@example.com' });
  assert.deepEqual(await offers(waiting, {}), ['approve', 'deny']);
  assert.deepEqual(await offers(waiting, { visitor: 'ADA@example.com' }), ['deny']);
  assert.deepEqual(await offers(waiting, { mayDecide: false }), []);
  assert.deepEqual(await offers(waiting, { nowMs: NOW + 60_000 }), []);
  for (const state of states.filter((one) => one !== 'requested')) {
    assert.deepEqual(await offers({ ...waiting, state }, {}), [], state);
  }
});

test('renderApproval() shows all that would be done, and offers no yes where it cannot', async () => {
  const end = 'AND the part that matters';
  const of = (characters: number) => approvalOf('p', { content: { where: `${'x'.repeat(characters)} ${end}` } });
  const shown = await render(of(10_000));
  assert.match(shown, new RegExp(end));
  assert.match(shown, /value="approve"/);
  const cut = await render(of(20_000));
  assert.doesNotMatch(cut, new RegExp(end));
  assert.match(cut, /npx penstock approvals show a-1/);
  assert.deepEqual(
    [...cut.matchAll(/name="says" value="(\w+)"/g)].map(([, says]) => says),
    ['deny'],
  );
});

test('renderApproval() has no script, so that nothing moves under a hand', async () => {
  assert.doesNotMatch(await render(approvalOf('p')), /<script|http-equiv/);
});
