import { createServer, type Server, type Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';
const MAX_HEAD_BYTES = 16 * 1024;
const body = '{"status":"accepted","credits":8}';
const answer = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
);

/**
 * A trainer that takes every batch, with as little work for its bytes as can be: it shares two cores with the sides that are compared, and
 * Node's HTTP server took as long for a batch as the faster side for making it. Bodies have a Content-Length, as both sides send it.
 */
export function replayTrainer(): Server {
  return createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    const take = requestReader(socket);
    socket.on('data', take);
  });
}

function requestReader(socket: Socket): (piece: Buffer) => void {
  let head = '';
  let bodyBytes: number | undefined;
  return (piece) => {
    let at = 0;
    while (at < piece.length) {
      if (bodyBytes === undefined) {
        const known = head.length;
        head += piece.toString('latin1', at, at + MAX_HEAD_BYTES);
        const end = head.indexOf(HEAD_END);
        if (end < 0 && head.length >= MAX_HEAD_BYTES) throw new Error('A request has a head of more than 16 KiB');
        if (end < 0) return;
        at += end + HEAD_END.length - known;
        bodyBytes = lengthOf(head.slice(0, end));
        head = '';
      }
      const here = Math.min(bodyBytes, piece.length - at);
      bodyBytes -= here;
      at += here;
      if (bodyBytes > 0) return;
      socket.write(answer);
      bodyBytes = undefined;
    }
  };
}

function lengthOf(head: string): number {
  const [, length] = /^content-length: *(\d+)$/im.exec(head) ?? [];
  if (length === undefined) throw new Error(`A request has no Content-Length: ${head}`);
  return Number(length);
}
