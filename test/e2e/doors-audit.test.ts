import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type DoorName, type DoorsRig, openDoorsRig, type RunningDoor } from './doors-rig.ts';
import { push, rotationPush } from './doors-stage.ts';
import { countRefusals } from './printed-lines.ts';

const launcher = resolve(import.meta.dirname, '../../deploy/cli/launch.js');
const FLOOD = 5_000;
const AT_ONCE = 50;
/** Of each reason in a window, as docs/audit.md has it. */
const LINES_PER_REASON = 10;

let rig: DoorsRig;
before(async () => {
  rig = await openDoorsRig();
});
after(() => rig.close());

const bearer = async ({ caller, audience }: RunningDoor, claims = {}): Promise<string> =>
  `Bearer ${await rig.cloud.identity.mintIdToken(caller, audience, claims)}`;

async function statusOf(url: string, headers: Record<string, string>, body = '{}'): Promise<number> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  await answer.arrayBuffer();
  return answer.status;
}

test('thousands of refused requests leave bounded lines, whose counts tell of every one, in a chain that is whole', async (context) => {
  const door = await rig.start('plan-epoch');
  const longAgo = Math.floor(Date.now() / 1000) - 7_200;
  const expired = await bearer(door, { iat: longAgo, exp: longAgo + 60 });
  const forged = `${(await bearer(door)).slice(0, -20)}AAAAAAAAAAAAAAAAAAAA`;
  const strange = [{}, {}, { authorization: forged }, { authorization: expired }];
  let sent = 0;
  const visitor = async () => {
    while (sent < FLOOD) {
      const headers = strange[sent % strange.length] ?? {};
      sent += 1;
      assert.equal(await statusOf(door.url, headers), 401);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, visitor));
  await door.stop();
  const lines = () => door.printed.audited('door.enter');
  await door.printed.until(() => countRefusals(lines()) >= FLOOD, `lines that count ${FLOOD} refusals`);
  const byReason = new Map<unknown, number>();
  for (const { reason, reasons } of lines()) {
    const counted = reason === undefined ? Object.entries(Object(reasons)) : [[reason, 1]];
    for (const [name, count] of counted) byReason.set(name, (byReason.get(name) ?? 0) + Number(count));
  }
  const counted = { 'no bearer token': FLOOD / 2, 'not signed by its issuer': FLOOD / 4, expired: FLOOD / 4 };
  assert.deepEqual(Object.fromEntries(byReason), counted);
  // How many windows it took is the machine's: each that was full has one line that counts.
  const windows = 1 + lines().filter(({ count }) => count !== undefined).length;
  assert.ok(lines().length <= windows * (3 * LINES_PER_REASON + 1), `${lines().length} lines of ${windows} windows`);
  const others = door.printed.all.filter((line) => !line.includes('"audit":true') && /refused|bearer/i.test(line));
  assert.deepEqual(others, [], 'no line beside the bounded ones');

  const dir = mkdtempSync(join(tmpdir(), 'doors-audit-'));
  context.after(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'log');
  writeFileSync(file, `${door.printed.all.join('\n')}\n`);
  const { stdout } = await promisify(execFile)(process.execPath, [launcher, 'audit', file]);
  assert.match(stdout, /audit lines of 1 processes are whole/);
});

test('a push of a subscription that the function does not serve leaves a line with the account that pushed it', async () => {
  const bodies: Partial<Record<DoorName, string>> = {
    'pubsub-sink': push('not-ours', '{"iata":"ORD","name":"x"}'),
    'read-shard': push('not-ours', '{"epoch":"e","shard":0}'),
    'rotate-secrets': rotationPush('not-ours', 'door-key'),
  };
  for (const name of ['pubsub-sink', 'read-shard', 'rotate-secrets'] as const) {
    const door = await rig.start(name);
    assert.equal(await statusOf(door.url, { authorization: await bearer(door) }, bodies[name]), 403);
    const lines = () => door.printed.audited('door.enter');
    await door.printed.until(() => lines().length > 0, `the line of ${name}`);
    const [{ identity, resource, outcome, reason, why, issuer } = {}, ...others] = lines();
    assert.deepEqual(
      [identity, resource, outcome, reason, issuer, others],
      [door.caller, `Function/${name}`, 'refused', 'subscription not served', rig.cloud.identity.issuer, []],
    );
    assert.match(String(why), /subscriptions\/not-ours$/);
    await door.stop();
  }
});
