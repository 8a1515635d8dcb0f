import protos from '@google-cloud/pubsub-api/build/protos/protos.js';
import { decodeAckId, encodeAckId } from './ack-id.ts';
import type { Consumer } from './backlog.ts';
import type { Engine } from './engine.ts';
import { nextChange } from './next-change.ts';
import { received } from './received.ts';
import { checkDeadline, checkPullable, invalid } from './settings.ts';

type Request = protos.google.pubsub.v1.StreamingPullRequest;
type Response = protos.google.pubsub.v1.StreamingPullResponse;
const { StreamingPullResponse } = protos.google.pubsub.v1;

const MAX_BATCH_MESSAGES = 1000;
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
const MIN_DEADLINE_SECONDS = 10;

/** One StreamingPull call: the client's requests come in while messages go out, as many as its flow control allows. */
export async function streamingPull(
  engine: Engine,
  requests: AsyncIterable<Request>,
  send: (answer: Response) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const incoming = requests[Symbol.asyncIterator]();
  const first = await incoming.next();
  if (first.done) throw invalid('The stream ended before its first request');
  const stream = openStream(engine, first.value);
  const ended = new AbortController();
  const stop = AbortSignal.any([signal, ended.signal]);

  const reading = (async () => {
    try {
      for (let next = await incoming.next(); !next.done; next = await incoming.next()) {
        await send(stream.accept(next.value));
      }
    } finally {
      ended.abort();
    }
  })();
  const sending = stream.send(send, stop).finally(() => ended.abort());
  // A reader that waits for a client which says nothing more must not hold up the sender's error, nor the other way round.
  await Promise.race([reading.then(() => sending), sending.then(() => (signal.aborted ? undefined : reading))]);
}

function openStream(engine: Engine, first: Request) {
  const { subscription } = first;
  const limits = {
    messages: Number(first.maxOutstandingMessages) || Number.POSITIVE_INFINITY,
    bytes: Number(first.maxOutstandingBytes) || Number.POSITIVE_INFINITY,
  };
  const outstanding = { messages: 0, bytes: 0 };
  let deadlineMs = streamDeadline(first.streamAckDeadlineSeconds);
  const consumer: Consumer = {
    released(message) {
      outstanding.messages -= 1;
      outstanding.bytes -= message.bytes;
    },
  };

  const nextBatch = () => {
    const room = { messages: limits.messages - outstanding.messages, bytes: limits.bytes - outstanding.bytes };
    if (room.messages <= 0 || room.bytes <= 0) return [];
    const deliveries = engine.lease(subscription, {
      deadlineMs,
      maxMessages: Math.min(room.messages, MAX_BATCH_MESSAGES),
      maxBytes: Math.min(room.bytes, MAX_BATCH_BYTES),
      consumer,
    });
    outstanding.messages += deliveries.length;
    for (const { message } of deliveries) outstanding.bytes += message.bytes;
    return deliveries;
  };

  return {
    /** What a later request asks for, and the answer to it: confirmations, or the empty one that keeps the stream alive. */
    accept(request: Request): Response {
      if (request.subscription !== '') throw invalid('subscription can be set in the first request of a stream only');
      if (request.streamAckDeadlineSeconds) deadlineMs = streamDeadline(request.streamAckDeadlineSeconds);
      return applyRequest(engine, subscription, request);
    },

    async send(send: (answer: Response) => Promise<void>, stop: AbortSignal): Promise<void> {
      let properties: protos.google.pubsub.v1.StreamingPullResponse.ISubscriptionProperties | undefined;
      while (!stop.aborted) {
        const settings = engine.subscription(subscription);
        checkPullable(settings);
        const exactlyOnceDeliveryEnabled = settings.enableExactlyOnceDelivery ?? false;
        const messageOrderingEnabled = settings.enableMessageOrdering ?? false;
        if (properties?.exactlyOnceDeliveryEnabled !== exactlyOnceDeliveryEnabled) {
          properties = { exactlyOnceDeliveryEnabled, messageOrderingEnabled };
          await send(new StreamingPullResponse({ subscriptionProperties: properties }));
          continue;
        }
        const deliveries = nextBatch();
        if (deliveries.length === 0) await nextChange(engine, subscription, stop);
        else {
          const receivedMessages = deliveries.map((delivery) => received(settings, delivery));
          await send(new StreamingPullResponse({ receivedMessages, subscriptionProperties: properties }));
        }
      }
    },
  };
}

function applyRequest(engine: Engine, subscription: string, request: Request): Response {
  const { ackIds, modifyDeadlineAckIds, modifyDeadlineSeconds } = request;
  if (modifyDeadlineAckIds.length !== modifyDeadlineSeconds.length) {
    throw invalid('modify_deadline_seconds and modify_deadline_ack_ids have to be of the same length');
  }
  const isExactlyOnce = engine.subscription(subscription).enableExactlyOnceDelivery ?? false;
  const answer = new StreamingPullResponse();
  const nameOf = (lease: { id: string; lease: number }): string => encodeAckId(subscription, lease);
  if (ackIds.length > 0) {
    const refused = engine
      .acknowledge(
        subscription,
        ackIds.map((ackId) => decodeAckId(subscription, ackId)),
      )
      .map(nameOf);
    if (isExactlyOnce) {
      answer.acknowledgeConfirmation = { ackIds: ackIds.filter((id) => !refused.includes(id)), invalidAckIds: refused };
    }
  }
  if (modifyDeadlineAckIds.length > 0) {
    const leases = modifyDeadlineAckIds.map((ackId, at) => ({
      ...decodeAckId(subscription, ackId),
      deadlineMs: checkDeadline(modifyDeadlineSeconds[at] ?? 0),
    }));
    const refused = engine.modifyDeadline(subscription, leases).map(nameOf);
    if (isExactlyOnce) {
      answer.modifyAckDeadlineConfirmation = {
        ackIds: modifyDeadlineAckIds.filter((id) => !refused.includes(id)),
        invalidAckIds: refused,
      };
    }
  }
  return answer;
}

function streamDeadline(seconds: number): number {
  if (seconds < MIN_DEADLINE_SECONDS) {
    throw invalid(`Invalid stream ack deadline given: (stream_ack_deadline_seconds=${seconds}), wanted 10 to 600`);
  }
  return checkDeadline(seconds);
}
