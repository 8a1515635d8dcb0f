import { createHash } from 'node:crypto';
import { BadRequestError } from '../../shared/adapters/http/problem.ts';
import { UnsupportedBodyError } from '../../shared/adapters/http/read-json.ts';
import type { RawRecord, RecordHeader } from '../../shared/model/events/records/raw-record.ts';

/** A Pub/Sub message as push delivers it. Source: cloud.google.com/pubsub/docs/push#receive_push. */
export interface PushMessage {
  /** `projects/P/subscriptions/S`. */
  readonly subscription: string;
  readonly messageId: string;
  /** Null where the message has no data, which Pub/Sub does not tell from empty data. */
  readonly data: Buffer | null;
  readonly attributes: Readonly<Record<string, string>>;
  /** Undefined for a message without one. */
  readonly orderingKey: string | undefined;
  readonly publishedAtMs: number | undefined;
  /** From 1; undefined unless the subscription has a dead-letter topic. */
  readonly deliveryAttempt: number | undefined;
}

const CLOUD_EVENT_TYPE = 'google.cloud.pubsub.topic.v1.messagePublished';
const SUBSCRIPTION = /^projects\/[^/]+\/subscriptions\/[^/]+$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const REMEDY = 'Send what a Pub/Sub push subscription sends, wrapped';
const MAX_ID_CHARACTERS = 256;

/**
 * Reads a push request: Pub/Sub's own envelope, or the same as a CloudEvent, binary or structured, as Eventarc sends it.
 *
 * @param headers by lower-case name; the content type in lower case, without parameters
 * @param body parsed JSON
 * @throws {UnsupportedBodyError} for other CloudEvents and batches of them
 * @throws {BadRequestError} for an envelope that is not whole
 */
export function readPush(headers: Readonly<Record<string, string | string[] | undefined>>, body: unknown): PushMessage {
  const envelope = unwrapCloudEvent(headers, body);
  const message = objectAt(envelope, 'message');
  const subscription = textAt(envelope, 'subscription');
  if (subscription === undefined || !SUBSCRIPTION.test(subscription)) throw malformed('subscription is missing');
  if (!message) throw malformed('message is missing');
  const messageId = textAt(message, 'messageId') ?? textAt(message, 'message_id');
  if (!messageId || messageId.length > MAX_ID_CHARACTERS) throw malformed('message.messageId is missing');
  const publishTime = textAt(message, 'publishTime') ?? textAt(message, 'publish_time');
  const publishedAtMs = publishTime === undefined ? Number.NaN : Date.parse(publishTime);
  const attempt = fieldAt(envelope, 'deliveryAttempt');
  return {
    subscription,
    messageId,
    data: readData(message),
    attributes: readAttributes(message),
    orderingKey: (textAt(message, 'orderingKey') ?? textAt(message, 'ordering_key')) || undefined,
    publishedAtMs: Number.isNaN(publishedAtMs) ? undefined : publishedAtMs,
    deliveryAttempt: typeof attempt === 'number' ? attempt : undefined,
  };
}

/** The message as any source's record: the ordering key is the key, attributes are headers. */
export function recordOf(message: PushMessage): RawRecord {
  const { subscription, orderingKey, attributes, data, publishedAtMs } = message;
  const headers = Object.entries(attributes).map(
    ([name, value]): RecordHeader => ({ name, value: Buffer.from(value) }),
  );
  const key = orderingKey === undefined ? null : Buffer.from(orderingKey);
  return { key, value: data, headers, timestampMs: publishedAtMs, topic: subscription, partition: 0, offset: 0n };
}

/** SHA-256 of everything in the message that a row can come from: ordering key, attributes by name, data. */
export function payloadHash({ orderingKey, attributes, data }: PushMessage): Buffer {
  const hash = createHash('sha256');
  const sorted = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  hash.update(JSON.stringify([orderingKey ?? null, sorted, data?.length ?? null]));
  if (data) hash.update(data);
  return hash.digest();
}

function unwrapCloudEvent(headers: Readonly<Record<string, string | string[] | undefined>>, body: unknown): unknown {
  const contentType = headers['content-type'];
  if (contentType === 'application/cloudevents-batch+json') throw unsupported('a batch of CloudEvents');
  const structured = contentType === 'application/cloudevents+json';
  const type = structured ? textAt(body, 'type') : headers['ce-type'];
  if (!structured && type === undefined) return body;
  if (type !== CLOUD_EVENT_TYPE) throw unsupported(`a CloudEvent of type ${String(type).slice(0, 100)}`);
  return structured ? fieldAt(body, 'data') : body;
}

function readData(message: object): Buffer | null {
  const data = fieldAt(message, 'data');
  if (data === undefined || data === null || data === '') return null;
  if (typeof data !== 'string' || data.length % 4 !== 0 || !BASE64.test(data)) {
    throw malformed('message.data is no base64');
  }
  return Buffer.from(data, 'base64');
}

function readAttributes(message: object): Readonly<Record<string, string>> {
  const attributes = fieldAt(message, 'attributes') ?? {};
  if (typeof attributes !== 'object' || Array.isArray(attributes)) throw malformed('message.attributes is no object');
  const entries = Object.entries(attributes).map(([name, value]): [string, string] => {
    if (typeof value !== 'string') throw malformed('message.attributes holds something else than texts');
    return [name, value];
  });
  return Object.fromEntries(entries);
}

function fieldAt(value: unknown, field: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, field)?.value;
}

function textAt(value: unknown, field: string): string | undefined {
  const found = fieldAt(value, field);
  return typeof found === 'string' ? found : undefined;
}

function objectAt(value: unknown, field: string): object | undefined {
  const found = fieldAt(value, field);
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? found : undefined;
}

function malformed(what: string): BadRequestError {
  return new BadRequestError(`The push envelope is not whole: ${what}`, REMEDY);
}

function unsupported(what: string): UnsupportedBodyError {
  return new UnsupportedBodyError(`The request carries ${what}`, REMEDY);
}
