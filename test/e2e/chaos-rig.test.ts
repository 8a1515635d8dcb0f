import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type ServerHttp2Stream } from 'node:http2';
import { test } from 'node:test';
import { momentOf } from '../chaos/moment-of.ts';
import { seededRandom } from '../chaos/random.ts';
import { openSpannerDoor } from '../chaos/spanner-door.ts';
import { isDoneInTheEnd, waitWhileMoving } from '../chaos/wait-until.ts';

test('isDoneInTheEnd() waits as long as something moves, and gives up when nothing does', async () => {
  let looks = 0;
  const moving = () => {
    looks += 1;
    return { isDone: looks === 12, state: String(looks) };
  };
  assert.equal(await isDoneInTheEnd(moving, 500), true);
  assert.equal(await isDoneInTheEnd(() => ({ isDone: false, state: 'same' }), 500), false);
  await assert.rejects(
    waitWhileMoving('all is there', () => ({ isDone: false, state: '3 of 4' }), 200),
    /not: all is there; it stood at 3 of 4/,
  );
});

/** A server that answers as gRPC does, when it is told to, with this status. */
async function openUpstream() {
  const calls: { readonly path: string; answer(status: string): void }[] = [];
  const server = createServer();
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.resume();
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    const answer = (status: string): void => {
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
      stream.end();
    };
    calls.push({ path: String(headers[':path']), answer });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { calls, server, address: `127.0.0.1:${address.port}` };
}

const patient = { random: seededRandom(1), maxWaitMs: 60_000 };

test('momentOf() settles when Spanner has got a commit, and when a good answer is on its way back', async () => {
  const upstream = await openUpstream();
  const door = await openSpannerDoor(upstream.address, seededRandom(1));
  const [mine, others] = [await door.openEntrance(), await door.openEntrance()];
  const seen: string[] = [];
  mine.watch((moment) => seen.push(moment));
  others.watch((moment) => seen.push(`another's ${moment}`));
  const client = connect(`http://${mine.address}`);
  client.on('error', () => {});
  const call = async (method: string, status: string): Promise<void> => {
    const request = client.request({ ':method': 'POST', ':path': `/google.spanner.v1.Spanner/${method}` });
    request.resume();
    const sent = method === 'Commit' ? momentOf(mine, 'sent', patient) : undefined;
    request.end('body');
    if (sent) assert.equal(await sent, 'sent');
    while (upstream.calls.length === 0) await once(upstream.server, 'stream');
    upstream.calls.shift()?.answer(status);
    await once(request, 'close');
  };
  await call('BeginTransaction', '0');
  assert.deepEqual(seen, []);
  await call('Commit', '10');
  assert.deepEqual(seen, ['sent'], 'an aborted commit has no good answer');
  const answered = momentOf(mine, 'answered', patient);
  await call('Commit', '0');
  assert.equal(await answered, 'answered');
  assert.deepEqual(seen, ['sent', 'sent', 'answered']);
  const closed = once(client, 'close');
  mine.hangUp();
  await closed;
  await door.close();
  upstream.server.close();
});
