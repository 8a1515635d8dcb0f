import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkCondition } from '../../../../shared/model/epochs/check-condition.ts';

test('checkCondition() takes conditions on one row, with parentheses and signs within texts', () => {
  for (const condition of [
    'Delay > 0',
    "Origin IN ('SFO', ')', \"--\", '''it's; #1''') AND (Delay IS NOT NULL OR `select` = 1)",
    "REGEXP_CONTAINS(Name, r'\\(\\d+;')",
    'Delay\n  BETWEEN -5 AND 5',
    "Name = '@ä'",
  ]) {
    assert.equal(checkCondition(condition), undefined, condition);
  }
});

test('checkCondition() refuses what reaches out of its parentheses, or may answer otherwise when it is asked again', () => {
  for (const [condition, problem] of [
    ['', /empty/],
    ['TRUE) OR (TRUE', /closes a parenthesis/],
    ['(TRUE', /leaves a parenthesis open/],
    ['TRUE --', /comment/],
    ['TRUE /* x', /comment/],
    ['TRUE # x', /comment/],
    ['TRUE; DROP TABLE T', /has ;/],
    ["Name = 'open", /has '/],
    ['RAND() < 0.5', /RAND/],
    ['At < current_timestamp()', /CURRENT_TIMESTAMP/],
    ['Id IN (SELECT Id FROM Other)', /SELECT/],
    ['Id = @f0', /has @/],
    ['x'.repeat(4_001), /4001 characters/],
  ] as const) {
    assert.match(checkCondition(condition) ?? '', problem, condition);
  }
});
