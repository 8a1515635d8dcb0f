import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pythonPackages } from '../fetch/artifacts.ts';
import { pythonWith } from '../fetch/python-packages.ts';
import { compileJava } from './java-programs.ts';
import { openPenstockLocal, type PenstockLocal } from './penstock-local.ts';
import { runProgram } from './run-program.ts';

/** What a client must have seen; the same steps are taken in every language. */
const expected = {
  statements: 2,
  row: [
    '1',
    'Ada',
    '0.1',
    'false',
    'AP8=',
    '2001-01-01',
    '2001-01-01T00:00:00.123456789Z',
    '99999999999999999999999999999.999999999',
    '{"a":1}',
    '["x",null,""]',
  ],
  commitTimestampKept: true,
  longText: 2_621_440,
  nulls: 9,
  keysRead: ['1', '2'],
  nameASecondAgo: 'Ada',
  nameBefore: 'Ada',
  nameNow: 'Grace',
  found: ['1 found', '2 found'],
  attempts: 2,
  count: 12,
  contended: 28,
  refusals: ['ALREADY_EXISTS', 'NOT_FOUND', 'INVALID_ARGUMENT', 'NOT_FOUND'],
  partitioned: ['1', '2', '9223372036854775807'],
  instancesLeft: 0,
};

let laptop: PenstockLocal;
before(async () => {
  laptop = await openPenstockLocal();
});
after(() => laptop.close());

test("Google's Java client writes, reads, queries and retries on the laptop's Spanner", async () => {
  const program = compileJava('SpannerSteps');
  try {
    assert.deepEqual(await program.run(laptop.env), { instance: 'Java', ...expected });
  } finally {
    program.close();
  }
});

test("Google's Python client writes, reads, queries and retries on the laptop's Spanner", async () => {
  const program = join(import.meta.dirname, 'python/spanner_steps.py');
  assert.deepEqual(await runProgram(pythonWith(pythonPackages), [program], laptop.env), {
    instance: 'Python',
    ...expected,
  });
});
