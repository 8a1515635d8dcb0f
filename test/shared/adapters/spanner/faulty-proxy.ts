import { connect, createServer, type Http2Session, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';

/** What becomes of one call. */
export type Fault =
  | 'none'
  /** The server never hears of it. */
  | 'cut-before'
  /** The server has done it, and the connection ends before its answer. */
  | 'cut-after'
  /** The call is never answered. */
  | 'silent'
  | { readonly status: number; readonly message: string; readonly trailers?: Readonly<Record<string, string>> }
  /** Answers with this message itself: the server never hears of it. */
  | { readonly answer: Uint8Array }
  /** Changes the answer's body, frames included. */
  | { readonly change: (body: Buffer) => Buffer };

/** One call as it came. */
export interface ProxiedCall {
  /** Without the service. */
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** Without its frame. */
  readonly request: Buffer;
}

/** Stands between a client and a gRPC server, and knows nothing of either but HTTP/2. */
export interface FaultyProxy {
  readonly address: string;
  readonly calls: ProxiedCall[];
  /** Decides what becomes of the calls from now on; `count` is that of the method, from 1 since the last `setFault`. */
  setFault(choose: (method: string, count: number) => Fault): void;
  close(): Promise<void>;
}

/** Opens a proxy before the server at `address`; `port` 0 for a free one. */
export async function openFaultyProxy(address: string, port = 0): Promise<FaultyProxy> {
  const upstream = connect(`http://${address}`, { maxSessionMemory: 1024 });
  upstream.on('error', () => {});
  const sessions = new Set<Http2Session>();
  const calls: ProxiedCall[] = [];
  let choose: (method: string, count: number) => Fault = () => 'none';
  let counts = new Map<string, number>();
  const server = createServer({ maxSessionMemory: 1024 });
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    const method = String(headers[':path']).split('/').at(-1) ?? '';
    bodyOf(stream).then(
      async (body) => {
        calls.push({ method, headers, request: body.subarray(5) });
        const count = (counts.get(method) ?? 0) + 1;
        counts.set(method, count);
        const fault = choose(method, count);
        if (fault === 'silent') return;
        if (fault === 'cut-before') stream.session?.destroy();
        else if (typeof fault === 'object' && 'status' in fault) refuse(stream, fault);
        else if (typeof fault === 'object' && 'answer' in fault)
          respond(stream, framed(fault.answer), { 'grpc-status': '0' });
        else await forward(stream, { headers, body, fault });
      },
      () => {},
    );
  });
  const forward = async (
    stream: ServerHttp2Stream,
    { headers, body, fault }: { headers: IncomingHttpHeaders; body: Buffer; fault: Fault },
  ): Promise<void> => {
    const sent = Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(':')));
    const call = upstream.request({ ...sent, ':method': 'POST', ':path': String(headers[':path']) });
    let trailers: IncomingHttpHeaders = {};
    call.on('response', (answer) => {
      if (answer['grpc-status'] !== undefined) trailers = answer;
    });
    call.on('trailers', (found) => {
      trailers = found;
    });
    call.end(body);
    const answer = await bodyOf(call).catch(() => Buffer.alloc(0));
    if (fault === 'cut-after') stream.session?.destroy();
    if (stream.destroyed) return;
    const status = { 'grpc-status': '0', ...plainTrailers(trailers) };
    respond(stream, typeof fault === 'object' && 'change' in fault ? fault.change(answer) : answer, status);
  };
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    setFault(next) {
      choose = next;
      counts = new Map();
    },
    async close() {
      upstream.destroy();
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function refuse(stream: ServerHttp2Stream, fault: Extract<Fault, { status: number }>): void {
  const message = encodeURIComponent(fault.message);
  respond(stream, Buffer.alloc(0), { ...fault.trailers, 'grpc-status': String(fault.status), 'grpc-message': message });
}

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function respond(stream: ServerHttp2Stream, body: Buffer, trailers: Record<string, string>): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(body);
}

function plainTrailers(trailers: IncomingHttpHeaders): Record<string, string> {
  const all = Object.entries(trailers).filter(([name]) => /^(grpc-|google)/.test(name));
  return Object.fromEntries(all.map(([name, value]) => [name, String(value)]));
}

async function bodyOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
