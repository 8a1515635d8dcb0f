import type { Socket } from 'node:net';
import { dispatch } from './dispatch.ts';
import type { Broker } from './engine/broker.ts';
import { Frames } from './frames.ts';
import type { ByteWriter } from './protocol/byte-writer.ts';

const MAX_REQUEST_BYTES = 100 * 1024 * 1024;
/** What may wait behind the request in hand before the socket is no longer read. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** Serves one client: its requests one after another, answered in their order. */
export function serveConnection(socket: Socket, broker: Broker): void {
  const frames = new Frames(MAX_REQUEST_BYTES);
  const waiting: Buffer[] = [];
  const over = new AbortController();
  const connection = { broker, clientHost: `/${socket.remoteAddress ?? ''}`, signal: over.signal };
  let waitingBytes = 0;
  let busy = false;

  const work = async (): Promise<void> => {
    busy = true;
    try {
      for (let frame = waiting.shift(); frame && !socket.destroyed; frame = waiting.shift()) {
        waitingBytes -= frame.length;
        if (waitingBytes < MAX_WAITING_BYTES) socket.resume();
        const answer = await dispatch(frame, connection);
        if (answer) await send(socket, answer, over.signal);
      }
    } catch {
      // Like Kafka: who sends what cannot be read, or meets a fault of ours, sees the connection close.
      socket.destroy();
    } finally {
      busy = false;
    }
  };

  socket.setNoDelay(true);
  socket.on('data', (chunk) => {
    try {
      for (const frame of frames.push(chunk)) {
        waiting.push(frame);
        waitingBytes += frame.length;
      }
    } catch {
      socket.destroy();
      return;
    }
    if (!busy) void work();
    if (waitingBytes >= MAX_WAITING_BYTES) socket.pause();
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => over.abort());
}

async function send(socket: Socket, answer: ByteWriter, over: AbortSignal): Promise<void> {
  const length = Buffer.allocUnsafe(4);
  length.writeInt32BE(answer.length, 0);
  socket.cork();
  let flowing = socket.write(length);
  for (const chunk of answer.chunks()) flowing = socket.write(chunk);
  socket.uncork();
  if (!flowing && !over.aborted) await drained(socket, over);
}

function drained(socket: Socket, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      over.removeEventListener('abort', done);
      resolve();
    };
    socket.on('drain', done);
    over.addEventListener('abort', done);
  });
}
