import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Approval,
  ApprovalError,
  approve,
  deny,
  digestOf,
  finish,
  requestApproval,
  standingOf,
  start,
} from '../../../../shared/model/approvals/approval.ts';

const subject = {
  action: 'redrive' as const,
  resource: { type: 'Pipeline' as const, name: 'people' },
  content: { pipeline: 'people', class: null },
};
const asked = { id: 'a1', requestedBy: 'ada@example.com', nowMs: 1_000, withinMs: 100 };

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ApprovalError);
    return error.code;
  }
  return 'done';
}

type Step =
  | { readonly does: 'approve' | 'deny' | 'start'; readonly by: string; readonly sees: 'same' | 'other' }
  | { readonly does: 'finish'; readonly fails: boolean }
  | { readonly does: 'wait'; readonly ms: number };

const people = fc.constantFrom(
  'ada@example.com',
  'Ada@Example.com',
  'ＡDA@example.com',
  'bob@example.com',
  'eve@example.com',
);
const steps = fc.oneof(
  fc.record({
    does: fc.constantFrom('approve' as const, 'deny' as const, 'start' as const),
    by: people,
    sees: fc.constantFrom('same' as const, 'other' as const),
  }),
  fc.record({ does: fc.constant('finish' as const), fails: fc.boolean() }),
  fc.record({ does: fc.constant('wait' as const), ms: fc.nat(60) }),
);

test('an approval runs at most once, in time, as it was asked for, and never by one person alone', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 30 }), (taken: readonly Step[]) => {
      let approval: Approval = requestApproval(subject, asked);
      let nowMs = asked.nowMs;
      let starts = 0;
      for (const step of taken) {
        if (step.does === 'wait') nowMs += step.ms;
        const before = approval;
        try {
          approval = take(approval, step, nowMs);
        } catch (error) {
          assert.ok(error instanceof ApprovalError);
          continue;
        }
        assert.equal(approval.digest, before.digest);
        if (step.does === 'approve') {
          assert.notEqual(approval.decidedBy?.normalize('NFKC').toLowerCase(), 'ada@example.com');
          assert.equal(step.sees, 'same');
        }
        if (step.does !== 'start') continue;
        starts += 1;
        assert.equal(before.state, 'approved');
        assert.equal(step.sees, 'same');
        assert.equal(step.by.normalize('NFKC').toLowerCase(), 'ada@example.com');
        assert.ok(nowMs < asked.nowMs + asked.withinMs);
      }
      assert.ok(starts <= 1);
    }),
  );
});

function take(approval: Approval, step: Step, nowMs: number): Approval {
  switch (step.does) {
    case 'approve':
      return approve(approval, { by: step.by, seen: step.sees === 'same' ? approval.digest : 'other', nowMs });
    case 'deny':
      return deny(approval, { by: step.by, reason: undefined, nowMs });
    case 'start':
      return start(approval, { by: step.by, digest: step.sees === 'same' ? approval.digest : 'other', nowMs });
    case 'finish':
      return finish(approval, { error: step.fails ? 'broken' : undefined, nowMs });
    case 'wait':
      return approval;
  }
}

test('approve() refuses one’s own request, what has changed, what is settled, and what came too late', () => {
  const requested = requestApproval(subject, asked);
  const seen = requested.digest;
  assert.equal(
    codeOf(() => approve(requested, { by: 'ADA@example.com', seen, nowMs: 1_050 })),
    'OWN_APPROVAL',
  );
  assert.equal(
    codeOf(() => approve(requested, { by: 'bob@example.com', seen: 'x', nowMs: 1_050 })),
    'APPROVAL_CHANGED',
  );
  assert.equal(
    codeOf(() => approve(requested, { by: 'bob@example.com', seen, nowMs: 1_100 })),
    'APPROVAL_EXPIRED',
  );
  const approved = approve(requested, { by: 'bob@example.com', seen, nowMs: 1_099 });
  assert.equal(
    codeOf(() => approve(approved, { by: 'eve@example.com', seen, nowMs: 1_099 })),
    'APPROVAL_SETTLED',
  );
  const denied = deny(approved, { by: 'eve@example.com', reason: 'not now', nowMs: 1_099 });
  assert.equal(
    codeOf(() => start(denied, { by: 'ada@example.com', digest: seen, nowMs: 1_099 })),
    'APPROVAL_SETTLED',
  );
});

test('start() waits for a yes, and takes it only from who asked, for what was asked', () => {
  const requested = requestApproval(subject, asked);
  const digest = requested.digest;
  assert.equal(
    codeOf(() => start(requested, { by: 'ada@example.com', digest, nowMs: 1_001 })),
    'APPROVAL_MISSING',
  );
  const approved = approve(requested, { by: 'bob@example.com', seen: digest, nowMs: 1_001 });
  assert.equal(
    codeOf(() => start(approved, { by: 'bob@example.com', digest, nowMs: 1_001 })),
    'APPROVAL_MISSING',
  );
  const changed = digestOf({ ...subject, content: { pipeline: 'people', class: 'constraint' } });
  assert.equal(
    codeOf(() => start(approved, { by: 'ada@example.com', digest: changed, nowMs: 1_001 })),
    'APPROVAL_CHANGED',
  );
  const running = start(approved, { by: 'ada@example.com', digest, nowMs: 1_001 });
  // What runs has no time to expire in: it ends when it ends.
  assert.equal(standingOf(running, 9_999), 'running');
  assert.equal(
    codeOf(() => start(running, { by: 'ada@example.com', digest, nowMs: 1_002 })),
    'APPROVAL_SETTLED',
  );
  assert.equal(finish(running, { error: 'broken', nowMs: 9_999 }).state, 'failed');
});

test('digestOf() is of what is asked for, in whatever order its names stand', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null))),
      (content) => {
        const reversed = Object.fromEntries(Object.entries(content).reverse());
        assert.equal(digestOf({ ...subject, content }), digestOf({ ...subject, content: reversed }));
        assert.notEqual(
          digestOf({ ...subject, content }),
          digestOf({ ...subject, content: { ...content, '\u0000one more': 1 } }),
        );
        assert.notEqual(digestOf({ ...subject, content }), digestOf({ ...subject, content, action: 'rotate' }));
      },
    ),
  );
});
