import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type ApprovalStore, openApprovalStore } from '../../../shared/adapters/spanner/approvals/approval-store.ts';
import { jsonLog } from '../../../shared/base/log.ts';
import { openAuthority } from '../../../shared/connect/authority.ts';
import {
  ApprovalNeededError,
  decideApproval,
  doGuarded,
  type GuardedAct,
} from '../../../shared/connect/second-person.ts';
import type { Asker } from '../../../shared/model/access/asker.ts';
import { DeniedError } from '../../../shared/model/access/denied-error.ts';
import { type ControlDatabase, openControlDatabase } from '../../functions/dashboard/control-database.ts';
import { guardedDeclaration } from '../model/access/guarded-declaration.ts';

const policies = `
permit (principal in Group::"operators", action in [Action::"redrive", Action::"approve"], resource);
@id("second-person") forbid (principal, action == Action::"redrive", resource) when { context.all } unless { context.approved };`;
const groups = { operators: ['ada@example.com', 'bob@example.com', 'cleo@example.com'] };

let control: ControlDatabase;
let approvals: ApprovalStore;
before(async () => {
  control = await openControlDatabase();
  approvals = openApprovalStore(control.database);
});
after(() => control.close());

function person(name: string): Asker {
  return { name: `${name}@example.com`, issuer: 'https://accounts.google.com', groups: [], kind: 'person' };
}
const [ada, bob, eve] = [person('ada'), person('bob'), person('eve')];

async function open() {
  const lines: Record<string, unknown>[] = [];
  const log = jsonLog('test', (line) => lines.push(JSON.parse(line)));
  let nowMs = Date.UTC(2026, 10, 30);
  const clock = () => nowMs;
  const authority = await openAuthority(guardedDeclaration(policies, { groups }), { door: 'penstock', log, clock });
  return {
    lines,
    tools: { authority, approvals, log, withinMs: 60_000, clock },
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

/** Something nobody else in this file asks for. */
function act(about = { all: true }): GuardedAct {
  return { action: 'redrive', resource: { type: 'Pipeline', name: 'people' }, content: { about: randomUUID() }, about };
}

async function needed(run: Promise<unknown>): Promise<ApprovalNeededError['approval']> {
  const error = await run.then(
    () => assert.fail('it ran'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ApprovalNeededError, String(error));
  return error.approval;
}

test('doGuarded() runs what policies permit at once, and refuses what an approval would not help', async () => {
  const { tools } = await open();
  assert.equal(await doGuarded(ada, act({ all: false }), tools, async () => 'ran'), 'ran');
  await assert.rejects(
    doGuarded(eve, act(), tools, async () => assert.fail('it ran')),
    DeniedError,
  );
});

test('doGuarded() asks for a second person, runs once after the yes, and asks anew the next time', async () => {
  const { tools, lines } = await open();
  const wanted = act();
  let runs = 0;
  const run = async () => {
    runs += 1;
    return 'ran';
  };
  const asked = await needed(doGuarded(ada, wanted, tools, run));
  assert.equal((await needed(doGuarded(ada, wanted, tools, run))).id, asked.id, 'the same request twice');
  await assert.rejects(decideApproval(ada, { id: asked.id, says: 'approve', seen: asked.digest }, tools), {
    code: 'OWN_APPROVAL',
  });
  await assert.rejects(decideApproval(eve, { id: asked.id, says: 'approve', seen: asked.digest }, tools), DeniedError);
  await assert.rejects(decideApproval(bob, { id: asked.id, says: 'approve', seen: 'else' }, tools), {
    code: 'APPROVAL_CHANGED',
  });
  assert.equal(runs, 0);
  await decideApproval(bob, { id: asked.id, says: 'approve', seen: asked.digest }, tools);
  assert.equal(await doGuarded(ada, wanted, tools, run), 'ran');
  assert.notEqual((await needed(doGuarded(ada, wanted, tools, run))).id, asked.id);
  assert.equal(runs, 1);
  const found = await approvals.find(asked.id);
  assert.deepEqual([found?.state, found?.requestedBy, found?.decidedBy], ['done', ada.name, bob.name]);
  const told = lines
    .filter(({ action }) => String(action).startsWith('approval.'))
    .map(({ action, identity, outcome }) => [action, identity, outcome]);
  assert.deepEqual(told, [
    ['approval.request', ada.name, 'done'],
    ['approval.approve', ada.name, 'refused'],
    ['approval.approve', bob.name, 'refused'],
    ['approval.approve', bob.name, 'done'],
    ['approval.start', ada.name, 'done'],
    ['approval.finish', ada.name, 'done'],
    ['approval.request', ada.name, 'done'],
  ]);
});

test('doGuarded() runs once when two runners come at the same moment', async () => {
  const { tools } = await open();
  const wanted = act();
  const asked = await needed(doGuarded(ada, wanted, tools, async () => undefined));
  await decideApproval(bob, { id: asked.id, says: 'approve', seen: asked.digest }, tools);
  let runs = 0;
  const run = async () => {
    runs += 1;
  };
  const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => doGuarded(ada, wanted, tools, run)));
  assert.equal(runs, 1);
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
});

test('doGuarded() takes no yes for something else, of somebody else, taken back, or too late', async () => {
  const { tools, wait } = await open();
  const wanted = act();
  const asked = await needed(doGuarded(ada, wanted, tools, async () => assert.fail('it ran')));
  await decideApproval(bob, { id: asked.id, says: 'approve', seen: asked.digest }, tools);
  const more = { ...wanted, content: { ...wanted.content, class: 'constraint' } };
  assert.notEqual((await needed(doGuarded(ada, more, tools, async () => assert.fail('it ran')))).id, asked.id);
  assert.notEqual((await needed(doGuarded(bob, wanted, tools, async () => assert.fail('it ran')))).id, asked.id);
  await decideApproval(ada, { id: asked.id, says: 'deny', seen: asked.digest, reason: 'not any more' }, tools);
  const again = await needed(doGuarded(ada, wanted, tools, async () => assert.fail('it ran')));
  assert.notEqual(again.id, asked.id);
  await decideApproval(bob, { id: again.id, says: 'approve', seen: again.digest }, tools);
  wait(60_000);
  const late = await needed(doGuarded(ada, wanted, tools, async () => assert.fail('it ran')));
  assert.notEqual(late.id, again.id);
  await assert.rejects(decideApproval(bob, { id: again.id, says: 'deny', seen: again.digest }, tools), {
    code: 'APPROVAL_EXPIRED',
  });
});

test('doGuarded() says what a run failed with, and runs it no second time', async () => {
  const { tools } = await open();
  const wanted = act();
  const asked = await needed(doGuarded(ada, wanted, tools, async () => undefined));
  await decideApproval(bob, { id: asked.id, says: 'approve', seen: asked.digest }, tools);
  const failing = async () => {
    throw new Error('the broker is down');
  };
  await assert.rejects(doGuarded(ada, wanted, tools, failing), /the broker is down/);
  const found = await approvals.find(asked.id);
  assert.deepEqual([found?.state, found?.error], ['failed', 'the broker is down']);
  await needed(doGuarded(ada, wanted, tools, async () => assert.fail('it ran')));
});

test('decideApproval() changes nothing of an id that nobody has, however it is written', async () => {
  const { tools } = await open();
  for (const id of ['', "' OR TRUE --", '../1', '__proto__', 'x'.repeat(100_000)]) {
    await assert.rejects(decideApproval(bob, { id, says: 'approve', seen: '' }, tools), { code: 'NOT_FOUND' });
  }
});
