import { type Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { type Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type protos from '@google-cloud/pubsub-api/build/protos/protos.js';
import type { Delivery } from './backlog.ts';
import { toRfc3339 } from './time.ts';

/** Keep-alive connections to push endpoints. */
export interface PushAgents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

interface PushRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/**
 * The HTTP request that carries a message to its endpoint, without its Authorization.
 *
 * Sources: https://cloud.google.com/pubsub/docs/push and https://cloud.google.com/pubsub/docs/payload-unwrapping
 */
export function pushRequest(settings: protos.google.pubsub.v1.ISubscription, delivery: Delivery): PushRequest {
  const attempt = settings.deadLetterPolicy ? delivery.attempt : undefined;
  const subscription = settings.name ?? '';
  const noWrapper = settings.pushConfig?.noWrapper;
  if (noWrapper) {
    const headers = noWrapper.writeMetadata ? metadataHeaders(subscription, delivery, attempt) : {};
    return { headers, body: delivery.message.data };
  }
  const { id, publishTimeMs, orderingKey, attributes, data } = delivery.message;
  const publishTime = toRfc3339(publishTimeMs);
  const envelope = {
    message: {
      ...(Object.keys(attributes).length > 0 && { attributes }),
      ...(data.length > 0 && { data: Buffer.from(data).toString('base64') }),
      messageId: id,
      message_id: id,
      ...(orderingKey !== '' && { orderingKey }),
      publishTime,
      publish_time: publishTime,
    },
    subscription,
    ...(attempt !== undefined && { deliveryAttempt: attempt }),
  };
  return { headers: { 'Content-Type': 'application/json' }, body: Buffer.from(JSON.stringify(envelope)) };
}

function metadataHeaders(
  subscription: string,
  { message }: Delivery,
  attempt: number | undefined,
): Record<string, string> {
  return {
    ...Object.fromEntries(Object.entries(message.attributes).filter(([key, value]) => isHeader(key, value))),
    'x-goog-pubsub-subscription-name': subscription,
    'x-goog-pubsub-message-id': message.id,
    'x-goog-pubsub-publish-time': toRfc3339(message.publishTimeMs),
    ...(message.orderingKey !== '' && { 'x-goog-pubsub-ordering-key': message.orderingKey }),
    ...(attempt !== undefined && { 'x-goog-pubsub-delivery-attempt': String(attempt) }),
  };
}

function isHeader(key: string, value: string): boolean {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(key) && /^[\t\x20-\x7e]*$/.test(value);
}

/**
 * Posts to an endpoint; redirects are not followed.
 *
 * @returns the status, 102 as soon as it comes
 * @throws when the endpoint cannot be reached or the signal is aborted
 */
export function post(
  endpoint: string,
  { headers, body }: PushRequest,
  options: { agents: PushAgents; signal: AbortSignal },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = { method: 'POST', headers: { ...headers, 'Content-Length': body.length }, signal: options.signal };
    const answered = (answer: IncomingMessage): void => {
      answer.on('error', reject);
      answer.on('end', () => resolve(answer.statusCode ?? 0));
      answer.resume();
    };
    const sent = endpoint.startsWith('https:')
      ? httpsRequest(endpoint, { ...request, agent: options.agents.https }, answered)
      : httpRequest(endpoint, { ...request, agent: options.agents.http }, answered);
    sent.on('information', ({ statusCode }) => {
      if (statusCode !== 102) return;
      resolve(statusCode);
      sent.destroy();
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
