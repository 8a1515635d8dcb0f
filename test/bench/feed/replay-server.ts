import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { Server } from 'node:net';
import { Readable } from 'node:stream';
import { protos } from '@google-cloud/spanner';
import { grpcFrame } from './grpc-frame.ts';
import { replayTrainer } from './replay-trainer.ts';

const { Session, Transaction } = protos.google.spanner.v1;

/** What both clients ask before they read. */
const unaryAnswers: Readonly<Record<string, Buffer | undefined>> = {
  CreateSession: grpcFrame(
    Session.encode({ name: 'projects/p/instances/i/databases/d/sessions/s', multiplexed: true }).finish(),
  ),
  BeginTransaction: grpcFrame(
    Transaction.encode({ id: Buffer.from('t'), readTimestamp: { seconds: 1, nanos: 0 } }).finish(),
  ),
};

const CHUNK_BYTES = 256 * 1024;
const UNIMPLEMENTED = 12;

/**
 * Serves a recorded StreamingRead again and again, straight from memory, so that no server's work limits a reader; and a
 * trainer that takes every batch. Prints both addresses as one line of JSON.
 */
async function replay(path: string): Promise<void> {
  const frames = readFileSync(path);
  const spanner = createServer();
  spanner.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    stream.resume();
    answer(stream, String(headers[':path']), frames);
  });
  const [spannerPort, trainerPort] = [await listen(spanner), await listen(replayTrainer())];
  process.stdout.write(
    `${JSON.stringify({ spanner: `127.0.0.1:${spannerPort}`, trainer: `http://127.0.0.1:${trainerPort}` })}\n`,
  );
}

function answer(stream: ServerHttp2Stream, path: string, frames: Buffer): void {
  const method = path.slice(path.lastIndexOf('/') + 1);
  const content = { ':status': 200, 'content-type': 'application/grpc' };
  const body = method === 'StreamingRead' ? frames : unaryAnswers[method];
  if (!body) {
    const refusal = { 'grpc-status': UNIMPLEMENTED, 'grpc-message': `${method} is not replayed` };
    stream.respond({ ...content, ...refusal }, { endStream: true });
    return;
  }
  stream.respond(content, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': 0 }));
  Readable.from(chunks(body)).pipe(stream);
}

function* chunks(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The system gave no port');
  return address.port;
}

await replay(process.argv[2] ?? '');
