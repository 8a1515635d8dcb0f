import protos from '@google-cloud/pubsub-api/build/protos/protos.js';
import { fromTimestamp, toTimestamp } from './time.ts';

const { PubsubMessage } = protos.google.pubsub.v1;

/** A published message; shared by every subscription that holds it and never changed. */
export interface Message {
  /** Decimal digits; a later message of the server has a greater number, also after a restart. */
  readonly id: string;
  readonly publishTimeMs: number;
  readonly orderingKey: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly data: Uint8Array;
  /** What it counts against byte limits. */
  readonly bytes: number;
}

export function makeMessage(message: Omit<Message, 'bytes'>): Message {
  let bytes = message.data.length + message.orderingKey.length;
  for (const [key, value] of Object.entries(message.attributes)) bytes += key.length + value.length;
  return { ...message, bytes };
}

export function messageToProto(message: Message): protos.google.pubsub.v1.PubsubMessage {
  return new PubsubMessage({
    messageId: message.id,
    publishTime: toTimestamp(message.publishTimeMs),
    orderingKey: message.orderingKey,
    attributes: { ...message.attributes },
    data: message.data,
  });
}

export function messageFromProto(proto: protos.google.pubsub.v1.IPubsubMessage): Message {
  return makeMessage({
    id: proto.messageId ?? '',
    publishTimeMs: fromTimestamp(proto.publishTime),
    orderingKey: proto.orderingKey ?? '',
    attributes: proto.attributes ?? {},
    // A copy: decoded bytes are a view that would keep the whole request in memory.
    data: typeof proto.data === 'string' ? Buffer.from(proto.data, 'base64') : Buffer.from(proto.data ?? []),
  });
}
