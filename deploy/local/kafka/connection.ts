import type { Socket } from 'node:net';
import { dispatch } from './dispatch.ts';
import type { Broker } from './engine/broker.ts';
import { Frames } from './frames.ts';
import type { Advertised } from './handlers/route.ts';
import { ByteWriter } from './protocol/byte-writer.ts';
import type { SaslSession } from './sasl/session.ts';

const MAX_REQUEST_BYTES = 100 * 1024 * 1024;
/** Of who has not proved who it is yet. */
const MAX_UNPROVED_BYTES = 512 * 1024;
/** What may wait behind the request in hand before the socket is no longer read. */
const MAX_WAITING_BYTES = 1024 * 1024;

/**
 * Serves one client: its requests one after another, answered in their order.
 *
 * @param options.advertised the listener's address, which clients are told to come back to
 * @param options.session who the client is, and what it may ask for
 */
export function serveConnection(
  socket: Socket,
  { broker, advertised, session }: { broker: Broker; advertised: Advertised; session: SaslSession },
): void {
  const frames = new Frames(MAX_UNPROVED_BYTES);
  const waiting: Buffer[] = [];
  const over = new AbortController();
  const clientHost = `/${socket.remoteAddress ?? ''}`;
  const connection = { broker, advertised, session, clientHost, signal: over.signal };
  let waitingBytes = 0;
  let busy = false;

  const work = async (): Promise<void> => {
    busy = true;
    try {
      for (let frame = waiting.shift(); frame && !socket.destroyed; frame = waiting.shift()) {
        waitingBytes -= frame.length;
        if (waitingBytes < MAX_WAITING_BYTES) socket.resume();
        const answer = await (session.takesBareToken ? answerBareToken(frame, session) : dispatch(frame, connection));
        if (answer) await send(socket, answer, over.signal);
        if (session.isOver) {
          // Once the answer is written, so that the client reads why.
          socket.destroySoon();
          return;
        }
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
      frames.maxBytes = session.isOpen ? MAX_REQUEST_BYTES : MAX_UNPROVED_BYTES;
      for (const frame of frames.push(chunk)) {
        waiting.push(frame);
        waitingBytes += frame.length;
      }
    } catch {
      socket.destroy();
      return;
    }
    if (!busy && !session.isOver) void work();
    if (waitingBytes >= MAX_WAITING_BYTES) socket.pause();
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => over.abort());
}

async function answerBareToken(token: Buffer, session: SaslSession): Promise<ByteWriter> {
  const writer = new ByteWriter();
  writer.raw(await session.authenticateBare(token));
  return writer;
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
