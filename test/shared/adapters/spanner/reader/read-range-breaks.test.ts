import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { protos } from '@google-cloud/spanner';
import { openSpannerChannel, type SpannerChannel } from '../../../../../shared/adapters/spanner/channel.ts';
import { readRange } from '../../../../../shared/adapters/spanner/reader/read-range.ts';
import { type ColumnBlock, textAt } from '../../../../../shared/model/tensors/column-vector.ts';

const { PartialResultSet, ReadRequest, Session } = protos.google.spanner.v1;

const OK = 0;
const UNAVAILABLE = 14;
const MIB = 1024 * 1024;

/** Answers a read that starts behind a row; `behind` is -1 for one from the start. */
type Answer = (stream: ServerHttp2Stream, behind: number) => void;

/** A server of our own making, that breaks where the test wants it. */
async function open(context: TestContext, answer: Answer): Promise<SpannerChannel> {
  const server = createServer();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      if (!String(headers[':path']).endsWith('StreamingRead')) {
        respond(stream, OK);
        stream.end(frame(Session.encode({ name: 's', multiplexed: true }).finish()));
        return;
      }
      const request = ReadRequest.decode(Buffer.concat(chunks).subarray(5));
      answer(stream, Number(request.keySet?.ranges?.[0]?.startOpen?.values?.[0]?.stringValue ?? -1));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const env = { SPANNER_EMULATOR_HOST: `127.0.0.1:${port}` };
  const channel = openSpannerChannel('projects/p/instances/i/databases/d', env);
  context.after(() => {
    channel.close();
    server.close();
  });
  return channel;
}

function respond(stream: ServerHttp2Stream, status: number): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status, 'grpc-message': 'on purpose' }));
}

function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

const fields = [
  { name: 'Id', type: { code: 2 } },
  { name: 'S', type: { code: 6 } },
];

/** Rows `from … to` as messages of `size` values, some of which end inside a row and inside a text. */
function messagesOf(from: number, to: number, size: number): Buffer[] {
  const values = Array.from({ length: to - from }, (_, index) => [
    { stringValue: String(from + index) },
    { stringValue: `row ${from + index}` },
  ]).flat();
  const messages: Buffer[] = [];
  let rest = '';
  for (let at = 0; at < values.length || rest !== ''; at += size) {
    const part = values.slice(at, at + size);
    const last = part.at(-1);
    const whole = rest === '' ? part : [{ stringValue: rest }, ...part];
    rest = '';
    // Every other message ends inside its last text.
    const isCut = messages.length % 2 === 0 && part.length > 1 && (at + part.length) % 2 === 0;
    if (isCut && last) {
      rest = last.stringValue.slice(3);
      whole[whole.length - 1] = { stringValue: last.stringValue.slice(0, 3) };
    }
    const metadata = messages.length === 0 ? { metadata: { rowType: { fields } } } : {};
    messages.push(frame(PartialResultSet.encode({ ...metadata, values: whole, chunkedValue: isCut }).finish()));
  }
  return messages;
}

const read = {
  table: 'T',
  columns: ['Id', 'S'],
  keyLength: 1,
  range: { from: undefined, to: undefined },
  readTimestamp: '2026-11-21T07:00:00Z',
  blockRows: 8,
};

function textsOf(blocks: readonly ColumnBlock[]): string[] {
  return blocks.flatMap(({ rowCount, columns: [ids, texts] }) =>
    Array.from({ length: rowCount }, (_, row) => {
      assert.ok(ids?.kind === 'int64' && texts?.kind === 'text');
      assert.equal(textAt(texts, row), `row ${ids.values[row]}`);
      return textAt(texts, row);
    }),
  );
}

test('readRange() gives each row once when the stream is cut behind any message, by an error or without a word', async (context) => {
  const total = 30;
  const wanted = Array.from({ length: total }, (_, id) => `row ${id}`);
  const whole = messagesOf(0, total, 7).length;
  let cutBehind = 0;
  let isAbrupt = false;
  let streams = 0;
  const channel = await open(context, (stream, behind) => {
    streams += 1;
    const messages = messagesOf(behind + 1, total, 7);
    const isCut = streams === 1;
    respond(stream, isCut ? UNAVAILABLE : OK);
    for (const message of isCut ? messages.slice(0, cutBehind) : messages) stream.write(message);
    if (isCut && isAbrupt) setImmediate(() => stream.close(2));
    else stream.end();
  });
  for (cutBehind = 0; cutBehind <= whole; cutBehind += 1) {
    for (const abrupt of [false, true]) {
      isAbrupt = abrupt;
      streams = 0;
      const blocks = await Array.fromAsync(readRange(channel, read));
      assert.deepEqual(textsOf(blocks), wanted, `cut behind ${cutBehind}`);
      assert.deepEqual(
        blocks.map(({ rowCount }) => rowCount),
        [8, 8, 8, 6],
      );
      assert.equal(streams, 2);
    }
  }
});

test('readRange() does not read on while nobody takes its blocks: the server is held back', async (context) => {
  const message = frame(
    PartialResultSet.encode({
      values: Array.from({ length: 64 }, (_, id) => [
        { stringValue: String(id) },
        { stringValue: 'x'.repeat(16 * 1024) },
      ]).flat(),
    }).finish(),
  );
  let sent = 0;
  const channel = await open(context, (stream) => {
    respond(stream, OK);
    stream.write(frame(PartialResultSet.encode({ metadata: { rowType: { fields } } }).finish()));
    const more = (): void => {
      while (!stream.destroyed && sent < 400 * MIB) {
        sent += message.length;
        if (!stream.write(message)) return void stream.once('drain', more);
      }
    };
    more();
  });
  const blocks = readRange(channel, { ...read, blockRows: 64 });
  assert.equal((await blocks.next()).done, false);
  let before = -1;
  for (const deadline = Date.now() + 8_000; sent !== before && Date.now() < deadline; ) {
    before = sent;
    await sleep(200);
  }
  assert.equal(sent, before, 'the server still sends');
  // A window of 16 MiB, what the decoder and the streams hold, and what the server itself has buffered.
  assert.ok(sent < 24 * MIB, `${sent} bytes were taken`);
  for (let count = 0; count < 30; count += 1) await blocks.next();
  assert.ok(sent > before, 'the server goes on');
  await blocks.return();
});
