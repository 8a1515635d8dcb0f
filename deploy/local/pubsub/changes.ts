import protos from '@google-cloud/pubsub-api/build/protos/protos.js';
import { type Message, messageFromProto, messageToProto } from './message.ts';

const { PublishRequest, Subscription, Topic } = protos.google.pubsub.v1;
const LENGTH_BYTES = 4;

/** Everything that changes what the server keeps; replayed in order, changes give the same state again. */
export type Change =
  | { readonly kind: 'topic'; readonly topic: protos.google.pubsub.v1.ITopic }
  | { readonly kind: 'topic-deleted'; readonly name: string }
  | { readonly kind: 'subscription'; readonly subscription: protos.google.pubsub.v1.ISubscription }
  | { readonly kind: 'subscription-deleted'; readonly name: string }
  | { readonly kind: 'published'; readonly topic: string; readonly messages: readonly Message[] }
  /** Written by compaction: a message and who still holds it, with its failures there. */
  | { readonly kind: 'held'; readonly by: readonly (readonly [string, number])[]; readonly message: Message }
  | { readonly kind: 'removed'; readonly subscription: string; readonly ids: readonly string[] }
  | { readonly kind: 'failed'; readonly subscription: string; readonly id: string; readonly failures: number }
  /** Written by compaction: ids up to here were given out. */
  | { readonly kind: 'ids'; readonly last: number };

/** `[u32 length of the header][header as JSON][protobuf]`, little-endian. */
export function encodeChange(change: Change): Buffer {
  const { header, body } = split(change);
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(json.length);
  return Buffer.concat([length, json, body]);
}

export function decodeChange(record: Buffer): Change {
  const bodyAt = LENGTH_BYTES + record.readUInt32LE(0);
  const header: ReturnType<typeof split>['header'] = JSON.parse(record.toString('utf8', LENGTH_BYTES, bodyAt));
  const body = record.subarray(bodyAt);
  switch (header.kind) {
    case 'topic':
      return { kind: 'topic', topic: Topic.decode(body) };
    case 'subscription':
      return { kind: 'subscription', subscription: Subscription.decode(body) };
    case 'published':
      return { ...header, messages: decodeMessages(body) };
    case 'held': {
      const [message] = decodeMessages(body);
      if (message === undefined)
        throw new Error('The journal holds a record without its message: start with a new folder');
      return { ...header, message };
    }
    default:
      return header;
  }
}

function split(change: Change) {
  const none = new Uint8Array();
  switch (change.kind) {
    case 'topic':
      return { header: { kind: change.kind }, body: Topic.encode(change.topic).finish() };
    case 'subscription':
      return { header: { kind: change.kind }, body: Subscription.encode(change.subscription).finish() };
    case 'published':
      return { header: { kind: change.kind, topic: change.topic }, body: encodeMessages(change.messages) };
    case 'held':
      return { header: { kind: change.kind, by: change.by }, body: encodeMessages([change.message]) };
    default:
      return { header: change, body: none };
  }
}

function encodeMessages(messages: readonly Message[]): Uint8Array {
  return PublishRequest.encode({ messages: messages.map(messageToProto) }).finish();
}

function decodeMessages(bytes: Uint8Array): Message[] {
  return PublishRequest.decode(bytes).messages.map(messageFromProto);
}
