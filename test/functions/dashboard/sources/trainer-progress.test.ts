import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { askTrainer, readProgress } from '../../../../functions/dashboard/sources/trainer-progress.ts';

async function serve(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return `http://127.0.0.1:${address.port}`;
}

const door = (url: string, timeoutMs = 2_000) => ({
  url,
  audience: url,
  timeoutMs,
  authorization: async () => 'Bearer token',
});

test('askTrainer() asks for the epoch by name with a token', async (t) => {
  let asked = '';
  const url = await serve(t, (request, response) => {
    asked = `${request.url} ${request.headers.authorization}`;
    response.end(
      JSON.stringify({
        state: 'training',
        steps: 7,
        training: { losses: [{ step: 1, loss: 0.5 }, { step: 'x' }], auc: null },
      }),
    );
  });
  const progress = await askTrainer(door(`${url}/`), 'delays/1');
  assert.equal(asked, '/v1/epochs/delays%2F1 Bearer token');
  assert.deepEqual([progress?.steps, progress?.losses, progress?.auc], [7, [{ step: 1, loss: 0.5 }], undefined]);
});

test('askTrainer() knows nothing of a trainer that is down, refuses, redirects, or says something else', async (t) => {
  const url = await serve(t, (request, response) => {
    if (request.url === '/v1/epochs/moved') response.writeHead(302, { location: '/v1/epochs/x' });
    else if (request.url === '/v1/epochs/missing') response.writeHead(404);
    response.end('<html>');
  });
  for (const id of ['moved', 'missing', 'html']) assert.equal(await askTrainer(door(url), id), undefined, id);
  assert.equal(await askTrainer(door('http://127.0.0.1:1'), 'x'), undefined);
  const noToken = { ...door(url), authorization: () => Promise.reject(new Error('no metadata server')) };
  assert.equal(await askTrainer(noToken, 'x'), undefined);
});

test('askTrainer() waits for a slow trainer or token no longer than its timeout', async (t) => {
  const url = await serve(t, () => {});
  assert.equal(await askTrainer(door(url, 30), 'x'), undefined);
  const { promise } = Promise.withResolvers<string>();
  assert.equal(await askTrainer({ ...door(url, 30), authorization: () => promise }, 'x'), undefined);
});

test('readProgress() makes finite, bounded figures of any JSON', () => {
  fc.assert(
    fc.property(
      fc.record({
        state: fc.string(),
        position: fc.jsonValue(),
        training: fc.jsonValue(),
        steps: fc.jsonValue(),
        waitShare: fc.jsonValue(),
      }),
      (answer) => {
        const progress = readProgress(answer);
        assert.ok(progress);
        for (const figure of [progress.steps, progress.pass, progress.batch])
          assert.ok(Number.isInteger(figure) && figure >= 0);
      },
    ),
  );
  for (const answer of [null, 7, 'x', [], {}, { state: 7 }]) assert.equal(readProgress(answer), undefined);
  const many = Array.from({ length: 5_000 }, (_, step) => ({ step, loss: 1 }));
  assert.equal(readProgress({ state: 'training', training: { losses: many } })?.losses.length, 1_000);
});
