import type protos from '@google-cloud/pubsub-api/build/protos/protos.js';
import { encodeAckId } from './ack-id.ts';
import type { Delivery } from './backlog.ts';
import { messageToProto } from './message.ts';

/** What a client of a pull subscription receives. */
export function received(
  settings: protos.google.pubsub.v1.ISubscription,
  delivery: Delivery,
): protos.google.pubsub.v1.IReceivedMessage {
  return {
    ackId: encodeAckId(settings.name ?? '', { id: delivery.message.id, lease: delivery.lease }),
    message: messageToProto(delivery.message),
    deliveryAttempt: settings.deadLetterPolicy ? delivery.attempt : 0,
  };
}
