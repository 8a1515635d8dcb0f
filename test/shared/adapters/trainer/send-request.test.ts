import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { sendRequest } from '../../../../shared/adapters/trainer/send-request.ts';
import { makeAuthority } from '../../../deploy/local/kafka/certificates.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const body = Buffer.from('body');

async function listen(context: TestContext, server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server of which the test writes each byte: `answer` is called with every request that has come whole. */
async function openRaw(context: TestContext, answer: (socket: Socket, request: string) => void) {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    let got = '';
    socket.on('data', (piece) => {
      got += piece.toString('latin1');
      if (!got.endsWith('body')) return;
      const request = got;
      got = '';
      answer(socket, request);
    });
  });
  const url = new URL(`http://${await listen(context, server)}/a%20b?c=d`);
  const send = (headers: Readonly<Record<string, string>> = {}, timeoutMs = 60_000) =>
    sendRequest({ method: 'PUT', url, headers, body, timeoutMs });
  return { url, send, connections: () => connections };
}

test('sendRequest() sends one request after the other over a connection, and only whole ones', async (context) => {
  const requests: string[] = [];
  const { url, send, connections } = await openRaw(context, (socket, request) => {
    requests.push(request);
    socket.write(OK);
  });
  for (let count = 0; count < 3; count += 1) assert.equal((await send({ authorization: 'Bearer t' })).text, 'ok');
  const head = `PUT /a%20b?c=d HTTP/1.1\r\nhost: ${url.host}\r\nauthorization: Bearer t\r\ncontent-length: 4`;
  assert.deepEqual(
    requests,
    Array.from({ length: 3 }, () => `${head}\r\n\r\nbody`),
  );
  assert.equal(connections(), 1);
});

test('sendRequest() has a connection for each request that is under way', async (context) => {
  const waiting: Socket[] = [];
  const { send, connections } = await openRaw(context, (socket) => {
    waiting.push(socket);
    if (waiting.length === 3) for (const each of waiting.splice(0)) each.write(OK);
  });
  await Promise.all([send(), send(), send()]);
  await Promise.all([send(), send(), send()]);
  assert.equal(connections(), 3);
});

test('sendRequest() does not use a connection again that its server is about to close, or has closed', async (context) => {
  const answers = [
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
    OK,
  ];
  const { send, connections } = await openRaw(context, (socket) => socket.write(answers.shift() ?? ''));
  while (answers.length > 0) assert.equal((await send()).text, 'ok');
  assert.equal(connections(), 4);
});

test('sendRequest() takes nothing for an answer that came before the request', async (context) => {
  const sockets: Socket[] = [];
  const { send, connections } = await openRaw(context, (socket) => {
    sockets.push(socket);
    socket.write(OK);
  });
  await send();
  const [first] = sockets;
  assert.ok(first);
  const closed = once(first, 'close');
  first.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
  await closed;
  assert.equal((await send()).text, 'ok');
  assert.equal(connections(), 2);
});

test('sendRequest() takes the body of an answer that ends with its connection', async (context) => {
  const { send } = await openRaw(context, (socket) => socket.end('HTTP/1.1 503 No\r\nRetry-After: 9\r\n\r\nlater'));
  assert.deepEqual(await send(), { status: 503, retryAfter: '9', text: 'later' });
});

test('sendRequest() fails when there is no whole answer: a cut one, silence, another protocol', async (context) => {
  const cutOff = await openRaw(context, (socket) => socket.end(OK.slice(0, -1)));
  await assert.rejects(cutOff.send(), /ended before the answer/);
  const silent = await openRaw(context, () => {});
  await assert.rejects(silent.send({}, 50), /No answer within 50 ms/);
  const odd = await openRaw(context, (socket) => socket.write('SSH-2.0-x\r\n\r\n'));
  await assert.rejects(odd.send(), /no HTTP\/1\.1/);
  const url = new URL('http://127.0.0.1:1/');
  await assert.rejects(sendRequest({ method: 'PUT', url, headers: {}, body, timeoutMs: 60_000 }), /ECONNREFUSED/);
});

test('sendRequest() lets no value become a header of its own', async (context) => {
  const { send, connections } = await openRaw(context, (socket) => socket.write(OK));
  assert.throws(() => send({ traceparent: 'a\r\nx-evil: 1' }), /The header traceparent holds/);
  assert.equal(connections(), 0);
});

test('sendRequest() has let go of the body when it is settled, however much of it was taken', async (context) => {
  const large = Buffer.alloc(16 * 1024 * 1024, 1);
  let sum = 0;
  const server = createHttpServer((request, response) => {
    request.on('data', (piece: Buffer) => {
      for (const byte of piece) sum += byte;
    });
    request.on('end', () => response.end('ok'));
  });
  const url = new URL(`http://${await listen(context, server)}/`);
  const request = { method: 'PUT', url, headers: {}, body: large, timeoutMs: 60_000 };
  assert.equal((await sendRequest(request)).status, 200);
  large.fill(2);
  assert.equal(sum, large.length);
});

test('sendRequest() speaks TLS to a server that somebody vouches for, and sends nothing to others', async (context) => {
  const authority = makeAuthority();
  let requests = 0;
  const server = createHttpsServer(authority.forServer(), (request, response) => {
    requests += 1;
    request.resume().on('end', () => response.end(`${request.method} ${request.headers['content-length']}`));
  });
  const address = await listen(context, server);
  const url = new URL(`https://${address}/`);
  const send = (to: URL) => sendRequest({ method: 'PUT', url: to, headers: {}, body, timeoutMs: 60_000 });
  await assert.rejects(send(url), /certificate/);
  assert.equal(requests, 0);
  const before = getCACertificates();
  setDefaultCACertificates([...before, authority.ca]);
  context.after(() => setDefaultCACertificates(before));
  for (const to of [url, url, new URL(`https://localhost:${url.port}/`)]) {
    assert.deepEqual(await send(to), { status: 200, retryAfter: undefined, text: 'PUT 4' });
  }
});
