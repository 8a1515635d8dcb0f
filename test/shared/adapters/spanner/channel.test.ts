import assert from 'node:assert/strict';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { openSpannerServer, type SpannerServer } from '../../../../deploy/local/spanner/server.ts';
import { openSpannerChannel } from '../../../../shared/adapters/spanner/channel.ts';
import { openGrpcConnection } from '../../../../shared/adapters/spanner/grpc-connection.ts';
import { FrameReader, frameHead } from '../../../../shared/adapters/spanner/grpc-frames.ts';
import { makeAuthority } from '../../../deploy/local/kafka/certificates.ts';
import { type FaultyProxy, openFaultyProxy } from './faulty-proxy.ts';
import { openTestDatabase, type TestDatabase } from './test-database.ts';

const DAY_MS = 24 * 3_600_000;

let server: SpannerServer;
let opened: TestDatabase;
let proxy: FaultyProxy;

before(async () => {
  server = await openSpannerServer();
  opened = await openTestDatabase(server.address, ['CREATE TABLE T (Id INT64) PRIMARY KEY (Id)']);
  proxy = await openFaultyProxy(server.address);
});

after(async () => {
  await proxy.close();
  await opened.close();
  await server.close();
});

test('openSpannerChannel() refuses what is no name of a database', () => {
  assert.throws(() => openSpannerChannel('flights', {}), { code: 'CONFIG' });
});

test('session() makes one session for all who ask at once, and again after a failure', async () => {
  proxy.setFault((method, count) => (method === 'CreateSession' && count === 1 ? 'cut-before' : 'none'));
  const channel = openSpannerChannel(opened.name, { SPANNER_EMULATOR_HOST: proxy.address });
  proxy.calls.length = 0;
  const failed = await Promise.allSettled([channel.session(), channel.session()]);
  assert.deepEqual(
    failed.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  const [first, second] = await Promise.all([channel.session(), channel.session()]);
  assert.equal(first, second);
  assert.equal(proxy.calls.length, 2);
  channel.close();
});

test('session() renews one that is a week old, and gives the old one until the new one is there', async () => {
  let now = 0;
  const channel = openSpannerChannel(opened.name, { SPANNER_EMULATOR_HOST: proxy.address }, { now: () => now });
  const old = await channel.session();
  now = 6 * DAY_MS;
  assert.equal(await channel.session(), old);
  now = 7 * DAY_MS;
  // The renewal that fails is tried again later, while the old session still serves.
  proxy.setFault((method) => (method === 'CreateSession' ? { status: 14, message: 'not now' } : 'none'));
  assert.equal(await channel.session(), old);
  proxy.setFault(() => 'none');
  now = 8 * DAY_MS;
  const deadline = Date.now() + 5_000;
  while ((await channel.session()) === old) {
    assert.ok(Date.now() < deadline, 'the session was never renewed');
    await new Promise((resolve) => setImmediate(resolve));
  }
  channel.close();
});

test('call() sends nothing to a server whose certificate nobody vouches for', async () => {
  const { key, cert } = makeAuthority().forServer();
  let streams = 0;
  const tls = createSecureServer({ key, cert });
  tls.on('stream', (stream) => {
    streams += 1;
    stream.close();
  });
  tls.on('sessionError', () => {});
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
  const connection = openGrpcConnection(`https://127.0.0.1:${(tls.address() as AddressInfo).port}`);
  const call = connection.call('/s/m', Buffer.alloc(0), {}, Date.now() + 5_000);
  await assert.rejects(
    call.collect(() => {}),
    { code: 14, message: /certificate/ },
  );
  assert.equal(streams, 0);
  connection.close();
  await new Promise((resolve) => tls.close(resolve));
});

const lengthOf = ({ length }: Buffer): number => length;

test('FrameReader finds the same messages however their bytes are cut', () => {
  const long = [Buffer.alloc(70_000, 'b'), Buffer.alloc(69_000, 'd')];
  const messages = [Buffer.from('a'), Buffer.alloc(0), ...long, Buffer.from('c')];
  const all = Buffer.concat(messages.flatMap((message) => [frameHead(message.length), message]));
  for (const size of [1, 2, 5, 7, 4_096, 70_003, all.length]) {
    const reader = new FrameReader();
    const reusing = new FrameReader({ reuse: true });
    const found: Buffer[] = [];
    const copied: Buffer[] = [];
    for (let at = 0; at < all.length; at += size) {
      const chunk = all.subarray(at, at + size);
      found.push(...reader.push(chunk));
      copied.push(...reusing.push(chunk).map((message) => Buffer.from(message)));
    }
    reader.finish();
    reusing.finish();
    for (const given of [found, copied]) {
      assert.ok(Buffer.concat(given).equals(Buffer.concat(messages)), `in pieces of ${size}`);
      assert.deepEqual(given.map(lengthOf), messages.map(lengthOf));
    }
  }
  const cut = new FrameReader();
  cut.push(all.subarray(0, 9));
  assert.throws(() => cut.finish(), { code: 13 });
  assert.throws(() => new FrameReader().push(Buffer.from([1, 0, 0, 0, 0])), { code: 13 });
  assert.throws(() => new FrameReader().push(Buffer.from([0, 0xff, 0, 0, 0])), { code: 8 });
});
