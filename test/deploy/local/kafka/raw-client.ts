import { once } from 'node:events';
import { createRequire } from 'node:module';
import { connect, type Socket } from 'node:net';

/** A request as kafkajs' own encoders make it. */
export interface EncodedRequest {
  readonly apiKey: number;
  readonly apiVersion: number;
  encode(): Promise<{ buffer: Buffer }>;
}

const require = createRequire(import.meta.url);
const frame: (call: {
  correlationId: number;
  clientId: string;
  request: EncodedRequest;
}) => Promise<{ buffer: Buffer }> = require('kafkajs/src/protocol/request.js');

/** The encoder and decoder of one API version, out of kafkajs. */
export function kafkajsApi<Q, R>(
  name: string,
  version: number,
): { request: (options: Q) => EncodedRequest; response: { decode(bytes: Buffer): Promise<R> } } {
  const folder = `kafkajs/src/protocol/requests/${name}/v${version}`;
  return { request: require(`${folder}/request.js`), response: require(`${folder}/response.js`) };
}

/** One socket to the broker that sends what it is told, well-formed or not. */
export class RawClient {
  readonly socket: Socket;
  private received = Buffer.alloc(0);
  private wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.wake();
    });
    socket.on('close', () => this.wake());
  }

  static async open(address: string): Promise<RawClient> {
    const [host = '', port] = address.split(':');
    const socket = connect(Number(port), host);
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** The bytes of a request on the wire, with its length. */
  static async encode(request: EncodedRequest, correlationId = 1): Promise<Buffer> {
    return (await frame({ correlationId, clientId: 'raw', request })).buffer;
  }

  async call<Q, R>(
    api: { request: (options: Q) => EncodedRequest; response: { decode(bytes: Buffer): Promise<R> } },
    options: Q,
  ): Promise<R> {
    return await api.response.decode(await this.exchange(await RawClient.encode(api.request(options))));
  }

  /** Sends bytes and gives the next answer, after its correlation id. */
  async exchange(bytes: Buffer): Promise<Buffer> {
    this.socket.write(bytes);
    for (;;) {
      const length = this.received.length >= 4 ? this.received.readInt32BE(0) : Number.POSITIVE_INFINITY;
      if (this.received.length >= 4 + length) {
        const answer = this.received.subarray(8, 4 + length);
        this.received = this.received.subarray(4 + length);
        return answer;
      }
      if (this.socket.closed) throw new Error('The broker closed the connection');
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** Sends bytes and waits until the broker closes the connection. */
  async sendUntilClosed(bytes: Buffer): Promise<void> {
    this.socket.write(bytes);
    if (!this.socket.closed) await once(this.socket, 'close');
  }

  close(): void {
    this.socket.destroy();
  }
}
