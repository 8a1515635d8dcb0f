import assert from 'node:assert/strict';
import { test } from 'node:test';
import { googleCredentials } from '../../../../shared/adapters/spanner/google-credentials.ts';
import { openMetadataDoor } from '../identity/metadata-door.ts';

const isToken = (path: string) => path.includes('/token');

test('googleCredentials() asks once for many calls, and goes on with a token that lives while it cannot be renewed', async (context) => {
  const door = await openMetadataDoor(context, { account: 'sink@p.iam.gserviceaccount.com' });
  // Google's library reckons with the process' own clock.
  context.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const startMs = Date.now();
  const headers = googleCredentials('https://spanner.googleapis.com/');
  const [first, ...others] = await Promise.all(Array.from({ length: 50 }, () => headers()));
  assert.match(String(first?.authorization), /^Bearer ya29\./);
  for (const other of others) assert.deepEqual(other, first);
  assert.equal(door.asked.filter(isToken).length, 1);
  assert.match(door.asked.find(isToken) ?? '', /auth%2Fspanner\.data$/);

  door.state = 'failing';
  context.mock.timers.setTime(startMs + 3_600_000 - 240_000);
  assert.deepEqual(await headers(), first);
  context.mock.timers.setTime(startMs + 3_600_000 - 59_999);
  await assert.rejects(headers(), /shut/);
  door.state = 'open';
  assert.notDeepEqual(await headers(), first);
});
