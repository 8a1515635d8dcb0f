import { bidiStream, type CallContext, type MessageType, type Method, unary } from './grpc.ts';

interface Readable<T> {
  decode(bytes: Uint8Array): T;
}

interface Writable<T> {
  encode(message: T): { finish(): Uint8Array };
}

/** `unary` with the types as protobufjs' static code has them: requests as decoded, with their defaults; answers as plain objects. */
export function rpc<Q, R>(
  path: string,
  request: Readable<Q>,
  response: Writable<R>,
  handle: (request: Q, context: CallContext) => Promise<R> | R,
): Method {
  return unary(path, readOnly(path, request), writeOnly(path, response), handle);
}

/** `bidiStream`, typed as `rpc` is. */
export function bidiRpc<Q, R>(
  path: string,
  request: Readable<Q>,
  response: Writable<R>,
  handle: (requests: AsyncIterable<Q>, send: (answer: R) => Promise<void>, context: CallContext) => Promise<void>,
): Method {
  return bidiStream(path, readOnly(path, request), writeOnly(path, response), handle);
}

function readOnly<T>(path: string, type: Readable<T>): MessageType<T> {
  return {
    decode: (bytes) => type.decode(bytes),
    encode() {
      throw new Error(`The server of ${path} does not encode requests`);
    },
  };
}

function writeOnly<T>(path: string, type: Writable<T>): MessageType<T> {
  return {
    encode: (message) => type.encode(message),
    decode() {
      throw new Error(`The server of ${path} does not decode answers`);
    },
  };
}
