import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openSecretsStage, stageDatabase } from './secrets-stage.ts';

test('penstock rotate --back waits for a second person, and a yes for one version is none for another', async () => {
  await using stage = await openSecretsStage();
  mkdirSync(join(stage.dir, 'policies'));
  writeFileSync(
    join(stage.dir, 'policies/two.cedar'),
    `permit (principal in Group::"operators", action, resource);
@id("back") forbid (principal, action == Action::"rotate", resource) when { context.back } unless { context.approved };`,
  );
  stage.declare(`spanner: { database: ${stageDatabase} }
secrets: { api-key: { strategy: hmac-key, every: 7d, overlap: 1h } }
access: { policies: ./policies, groups: { operators: [ada@example.com, bob@example.com] } }
`);
  await stage.addSecret('api-key', JSON.stringify({ id: 'first', key: Buffer.alloc(32, 1).toString('base64') }));
  const current = () => stage.alias('api-key', 'current');
  const penstock = async (who: string, ...args: string[]) => {
    const ended = await stage.penstock(who, ...args, '--json');
    return { ...ended, asked: /approvals approve ([0-9a-f-]{36})/.exec(ended.error)?.[1] ?? '' };
  };
  const rotated = await penstock('ada', 'rotate', 'api-key');
  assert.equal(rotated.status, 0, rotated.error);
  assert.equal(await current(), 2);

  const waiting = await penstock('ada', 'rotate', 'api-key', '--back');
  assert.equal(waiting.status, 1);
  assert.notEqual(waiting.asked, '', waiting.error);
  assert.equal(await current(), 2);
  const shown = JSON.parse((await penstock('bob', 'approvals', 'show', waiting.asked)).out);
  assert.deepEqual(shown.content, { kind: 'back', current: '2', next: '1' });
  assert.equal((await penstock('bob', 'approvals', 'approve', waiting.asked)).status, 0);
  const back = await penstock('ada', 'rotate', 'api-key', '--back');
  assert.equal(back.status, 0, back.error);
  assert.equal(await current(), 1);
  const again = await penstock('ada', 'rotate', 'api-key', '--back');
  assert.deepEqual([again.status, await current()], [1, 1]);
  assert.notEqual(again.asked, waiting.asked);
});
