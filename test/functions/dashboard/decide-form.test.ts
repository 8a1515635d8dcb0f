import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CrossSiteError, readDecision } from '../../../functions/dashboard/decide-form.ts';

const own = {
  'sec-fetch-site': 'same-origin',
  'sec-fetch-dest': 'document',
  'content-type': 'application/x-www-form-urlencoded',
  'content-length': '26',
};

const visitor = { name: 'ada@example.com', issuer: 'https://accounts.google.com' };

function decide(headers: Readonly<Record<string, string | undefined>>) {
  const sent = Object.entries(headers).flatMap(([name, value]): [string, string][] => (value ? [[name, value]] : []));
  const body = 'says=approve&seen=1&reason=';
  return readDecision(
    new Request('https://p.example/approvals/a', { method: 'POST', headers: sent, body }),
    'a',
    visitor,
  );
}

test('readDecision() reads the form of its own page', async () => {
  assert.deepEqual(await decide(own), { id: 'a', says: 'approve', seen: '1', reason: undefined });
});

test('readDecision() takes no form that another site, a frame or a script has sent', async () => {
  for (const site of ['cross-site', 'same-site', 'none', undefined]) {
    await assert.rejects(decide({ ...own, 'sec-fetch-site': site }), CrossSiteError, String(site));
  }
  for (const frame of ['iframe', 'frame', 'empty', 'object']) {
    await assert.rejects(decide({ ...own, 'sec-fetch-dest': frame }), CrossSiteError, frame);
  }
});

test('readDecision() takes no body that is no form, has no length, or is larger than a form is', async () => {
  for (const headers of [
    { ...own, 'content-type': 'text/plain' },
    { ...own, 'content-type': 'application/json' },
    { ...own, 'content-length': undefined },
    { ...own, 'content-length': '16385' },
  ]) {
    await assert.rejects(decide(headers), { code: 'BAD_REQUEST' }, JSON.stringify(headers));
  }
});
