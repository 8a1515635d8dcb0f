import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { emptySchema } from '../../../../../deploy/local/spanner/ddl/empty-schema.ts';
import { openSqlEvaluator } from '../../../../../deploy/local/spanner/sql/evaluator.ts';

const ask = (sql: string) => ({ sql, params: {}, schema: emptySchema, rows: () => [] });
/** Takes long enough to be killed in the middle. */
const LONG = 'SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 3000)) a, UNNEST(GENERATE_ARRAY(1, 3000)) b';

test('query() answers the query under which the process died, and the next runs in a fresh one', async () => {
  const evaluator = await openSqlEvaluator();
  try {
    const first = evaluator.pid ?? 0;
    assert.ok(isAlive(first));
    const dying = assert.rejects(evaluator.query(ask(LONG)), (error: { code?: status; message: string }) => {
      assert.equal(error.code, status.INTERNAL);
      assert.match(error.message, /process ended under this query/);
      return true;
    });
    // One short query behind the long one: when it is answered, the long one is on its way.
    await evaluator.query(ask('SELECT 1'));
    process.kill(first, 'SIGKILL');
    await dying;
    assert.deepEqual((await evaluator.query(ask('SELECT 2'))).rows, [[2n]]);
    assert.notEqual(evaluator.pid, first);
  } finally {
    await evaluator.close();
  }
});

test('close() ends the process and refuses queries', async () => {
  const evaluator = await openSqlEvaluator();
  const pid = evaluator.pid ?? 0;
  await evaluator.close();
  assert.equal(isAlive(pid), false);
  assert.equal(evaluator.pid, undefined);
  await assert.rejects(evaluator.query(ask('SELECT 1')), /The SQL evaluator is closed/);
});

test('the process ends with the one that opened it, even when that is killed', async () => {
  const path = new URL('../../../../../deploy/local/spanner/sql/evaluator.ts', import.meta.url);
  const script = `const { openSqlEvaluator } = await import(${JSON.stringify(path.href)});
    console.log((await openSqlEvaluator()).pid);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(owner.stdout, 'data');
  const pid = Number(String(line));
  assert.ok(isAlive(pid));
  owner.kill('SIGKILL');
  const deadline = Date.now() + 5000;
  while (isAlive(pid)) {
    assert.ok(Date.now() < deadline, `process ${pid} outlived its owner`);
    await new Promise((resolve) => setImmediate(resolve));
  }
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
