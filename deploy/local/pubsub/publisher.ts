import protos from '@google-cloud/pubsub-api/build/protos/protos.js';
import { status } from '@grpc/grpc-js';
import { type Method, RpcError } from '../grpc.ts';
import { rpc } from '../rpc.ts';
import type { Engine } from './engine.ts';
import { page } from './pages.ts';
import { checkTopic, invalid } from './settings.ts';

const v1 = protos.google.pubsub.v1;
const { Empty } = protos.google.protobuf;
const SERVICE = '/google.pubsub.v1.Publisher';

const MAX_REQUEST_BYTES = 10_000_000;
const MAX_REQUEST_MESSAGES = 1000;
const MAX_ATTRIBUTES = 100;
const MAX_ATTRIBUTE_KEY_BYTES = 256;
const MAX_ATTRIBUTE_VALUE_BYTES = 1024;
const MAX_ORDERING_KEY_BYTES = 1024;

/** The Publisher service over an engine. */
export function publisherMethods(engine: Engine): Method[] {
  return [
    rpc(`${SERVICE}/CreateTopic`, v1.Topic, v1.Topic, (request) => {
      const topic = v1.Topic.fromObject(checkTopic({ ...request, state: v1.Topic.State.ACTIVE }));
      engine.createTopic(topic);
      return topic;
    }),
    rpc(`${SERVICE}/UpdateTopic`, v1.UpdateTopicRequest, v1.Topic, (request) => updateTopic(engine, request)),
    rpc(`${SERVICE}/GetTopic`, v1.GetTopicRequest, v1.Topic, (request) =>
      v1.Topic.fromObject(engine.topic(request.topic)),
    ),
    rpc(`${SERVICE}/ListTopics`, v1.ListTopicsRequest, v1.ListTopicsResponse, (request) => {
      const { items, nextPageToken } = page(engine.topics(request.project), ({ name }) => name ?? '', request);
      return new v1.ListTopicsResponse({ topics: items, nextPageToken });
    }),
    rpc(
      `${SERVICE}/ListTopicSubscriptions`,
      v1.ListTopicSubscriptionsRequest,
      v1.ListTopicSubscriptionsResponse,
      (request) => {
        engine.topic(request.topic);
        const { items, nextPageToken } = page(engine.subscriptionsOf(request.topic), (name) => name, request);
        return new v1.ListTopicSubscriptionsResponse({ subscriptions: items, nextPageToken });
      },
    ),
    rpc(`${SERVICE}/DeleteTopic`, v1.DeleteTopicRequest, Empty, (request) => {
      engine.deleteTopic(request.topic);
      return new Empty();
    }),
    rpc(`${SERVICE}/Publish`, v1.PublishRequest, v1.PublishResponse, (request, { requestBytes }) => {
      checkPublish(request, requestBytes);
      const messageIds = engine.publish(
        request.topic,
        request.messages.map(({ data, attributes, orderingKey }) => ({
          // A copy: the decoded bytes are a view that would keep the whole request in memory.
          data: typeof data === 'string' ? Buffer.from(data, 'base64') : Buffer.from(data ?? []),
          attributes: attributes ?? {},
          orderingKey: orderingKey ?? '',
        })),
      );
      return new v1.PublishResponse({ messageIds });
    }),
    rpc(`${SERVICE}/ListTopicSnapshots`, v1.ListTopicSnapshotsRequest, v1.ListTopicSnapshotsResponse, () => {
      throw new RpcError(status.UNIMPLEMENTED, 'The local server has no snapshots');
    }),
    rpc(`${SERVICE}/DetachSubscription`, v1.DetachSubscriptionRequest, v1.DetachSubscriptionResponse, () => {
      throw new RpcError(status.UNIMPLEMENTED, 'The local server cannot detach a subscription: delete it');
    }),
  ];
}

function updateTopic(
  engine: Engine,
  request: protos.google.pubsub.v1.UpdateTopicRequest,
): protos.google.pubsub.v1.Topic {
  const paths = request.updateMask?.paths ?? [];
  if (paths.length === 0)
    throw invalid('The update_mask in the UpdateTopicRequest must be set, and must contain a path');
  const current = engine.topic(request.topic?.name);
  const updated = v1.Topic.fromObject(current);
  for (const path of paths) {
    if (path !== 'labels') {
      throw invalid(`Invalid update_mask provided in the UpdateTopicRequest: ${path} cannot be changed here`);
    }
    updated.labels = request.topic?.labels ?? {};
  }
  engine.replaceTopic(updated);
  return updated;
}

function checkPublish({ messages }: protos.google.pubsub.v1.PublishRequest, requestBytes: number): void {
  if (messages.length === 0) throw invalid('The list of messages in the publish request is empty');
  tooLarge('message_count', messages.length, MAX_REQUEST_MESSAGES);
  tooLarge('request_size', requestBytes, MAX_REQUEST_BYTES);
  const orderingKey = messages[0]?.orderingKey ?? '';
  for (const message of messages) {
    const attributes = Object.entries(message.attributes ?? {});
    if (!message.data?.length && attributes.length === 0) {
      throw invalid(
        'One or more messages in the publish request is empty. Each message must contain either non-empty data, or at least one attribute.',
      );
    }
    if ((message.orderingKey ?? '') !== orderingKey) {
      throw invalid(
        'In a single publish request, all messages must have no ordering key or they must all have the same one',
      );
    }
    tooLarge('ordering_key_size', Buffer.byteLength(orderingKey), MAX_ORDERING_KEY_BYTES);
    tooLarge('message_attribute_count', attributes.length, MAX_ATTRIBUTES);
    for (const [key, value] of attributes) {
      if (key === '' || key.startsWith('goog'))
        throw invalid(`Invalid attribute key "${key}": empty, or starting with goog`);
      tooLarge('attribute_key_size', Buffer.byteLength(key), MAX_ATTRIBUTE_KEY_BYTES);
      tooLarge('attribute_value_size', Buffer.byteLength(value), MAX_ATTRIBUTE_VALUE_BYTES);
    }
  }
}

function tooLarge(what: string, given: number, max: number): void {
  if (given > max) {
    throw invalid(
      `The value for ${what} is too large. You passed ${given} in the request, but the maximum value is ${max}.`,
    );
  }
}
