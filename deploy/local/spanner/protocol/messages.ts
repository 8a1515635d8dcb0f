import protos from '@google-cloud/spanner-api/build/protos/protos.js';
import { status } from '@grpc/grpc-js';
import { protobufMinimal } from 'google-gax/build/src/protobuf';
import { type CallContext, type MessageType, RpcError } from '../../grpc.ts';

const MAX_REQUEST_BYTES = 10 * 1024 * 1024;
const REPLACEMENT = '\ufffd';

export const { google } = protos;
export const spanner = google.spanner.v1;

interface StaticMessage<I, T extends I> {
  encode(message: I): { finish(): Uint8Array };
  decode(reader: protobufMinimal.Reader | Uint8Array): T;
}

/** A message type whose decoding refuses strings that are not UTF-8, which protobufjs lets through changed. */
export function strict<I, T extends I>(type: StaticMessage<I, T>): MessageType<T> {
  return { encode: (message) => type.encode(message), decode: (bytes) => type.decode(strictReader(bytes)) };
}

/** Refuses a request over 10 MiB, the limit of all but commits. */
export function checkRequestSize(context: CallContext): void {
  if (context.requestBytes <= MAX_REQUEST_BYTES) return;
  throw new RpcError(
    status.INVALID_ARGUMENT,
    `Request size ${context.requestBytes} exceeds the limit of ${MAX_REQUEST_BYTES} bytes for anything but a commit.`,
  );
}

/** A number from what protobufjs makes of an int64. */
export function toNumber(value: unknown): number {
  return value === null || value === undefined ? 0 : Number(String(value));
}

function strictReader(bytes: Uint8Array): protobufMinimal.Reader {
  const reader = protobufMinimal.Reader.create(bytes);
  const read = reader.string.bind(reader);
  reader.string = () => {
    const start = reader.pos;
    const text = read();
    if (text.includes(REPLACEMENT)) requireUtf8(bytes.subarray(start, reader.pos), text);
    return text;
  };
  return reader;
}

/** A replacement character may well have been sent as such: then the bytes are the same. */
function requireUtf8(field: Uint8Array, text: string): void {
  const encoded = Buffer.from(text, 'utf8');
  const sent = field.subarray(field.length - encoded.length);
  if (field.length >= encoded.length && encoded.equals(sent)) return;
  throw new RpcError(status.INVALID_ARGUMENT, 'A string in the request is not valid UTF-8.');
}
