import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pythonPackages } from '../fetch/artifacts.ts';
import { pythonWith } from '../fetch/python-packages.ts';
import { openPenstockLocal, type PenstockLocal } from './penstock-local.ts';
import { runProgram } from './run-program.ts';

let laptop: PenstockLocal;
before(async () => {
  laptop = await openPenstockLocal();
});
after(() => laptop.close());

test("Google's Python client publishes in order, pulls in a stream, acknowledges once and dead-letters", async () => {
  const program = join(import.meta.dirname, 'python/pubsub_steps.py');
  assert.deepEqual(await runProgram(pythonWith(pythonPackages), [program], laptop.env), {
    published: 207,
    pulled: 200,
    inOrder: true,
    attributes: ['ordered'],
    redelivered: ['SUCCESS once0', 'SUCCESS once1', 'SUCCESS once2', 'SUCCESS once3', 'SUCCESS once4'],
    acknowledgedAgain: 'PERMANENT_FAILURE_INVALID_ACK_ID',
    dead: ['poison0', 'poison1'],
    again: 'ALREADY_EXISTS',
    topicsLeft: 0,
  });
});
