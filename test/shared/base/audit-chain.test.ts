import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { audit } from '../../../shared/base/audit.ts';
import { auditChain, findAuditGaps } from '../../../shared/base/audit-chain.ts';
import { jsonLog } from '../../../shared/base/log.ts';

function chained(entries: readonly Readonly<Record<string, unknown>>[], chain: string) {
  const link = auditChain(chain);
  // As a log gives them back: with fields of its own, in another order.
  return entries.map((fields) => {
    const line = { time: 't', severity: 'NOTICE', ...link(fields), ...fields };
    return Object.fromEntries(Object.entries(JSON.parse(JSON.stringify(line))).reverse());
  });
}

const entries = fc.array(
  fc.record({ action: fc.string(), identity: fc.string(), rows: fc.nat(), why: fc.jsonValue() }),
  { minLength: 3, maxLength: 10 },
);

test('findAuditGaps() finds nothing in whole chains, of several processes mixed', () => {
  fc.assert(
    fc.property(entries, entries, (one, other) => {
      const [a, b] = [chained(one, 'a'), chained(other, 'b')];
      const mixed = Array.from({ length: Math.max(a.length, b.length) }, (_, at) => [a[at], b[at]])
        .flat()
        .filter((line) => line !== undefined);
      assert.deepEqual(findAuditGaps(mixed), []);
      assert.deepEqual(findAuditGaps(a.slice(1)), [], 'a log may begin later');
    }),
  );
});

test('findAuditGaps() finds a line that is missing, changed, added twice or moved', () => {
  fc.assert(
    fc.property(entries, fc.nat(), (written, pick) => {
      const lines = chained(written, 'a');
      const at = 1 + (pick % (lines.length - 2));
      assert.equal(findAuditGaps(lines.toSpliced(at, 1)).length, 1, 'missing');
      assert.ok(findAuditGaps(lines.with(at, { ...lines[at], rows: -1 })).length > 0, 'changed');
      assert.ok(findAuditGaps(lines.toSpliced(at, 0, { ...lines[at] })).length > 0, 'twice');
      assert.ok(findAuditGaps([...lines.slice(1), ...lines.slice(0, 1)]).length > 0, 'moved');
      const { hash: _, ...unlinked } = lines[at] ?? {};
      assert.ok(findAuditGaps(lines.with(at, unlinked)).length > 0, 'unlinked');
    }),
  );
});

test('audit() ties the lines of a process to one another', () => {
  const lines: Record<string, unknown>[] = [];
  const log = jsonLog('test', (line) => lines.push(JSON.parse(line)));
  for (const rows of [1n, 2n, 3n]) {
    audit(log, {
      action: 'spanner.read',
      identity: 'a@b.c',
      resource: 'T',
      outcome: 'done',
      details: { rows, hash: 'mine', undefined },
    });
  }
  assert.deepEqual(findAuditGaps(lines), []);
  assert.equal(findAuditGaps(lines.toSpliced(1, 1)).length, 1);
});
