import protos from '@google-cloud/pubsub-api/build/protos/protos.js';
import { status } from '@grpc/grpc-js';
import { type Method, RpcError } from '../grpc.ts';
import { bidiRpc, rpc } from '../rpc.ts';
import { decodeAckId, encodeAckId } from './ack-id.ts';
import type { Consumer } from './backlog.ts';
import type { Engine } from './engine.ts';
import { leaseMethod, refuseLeases } from './lease-error.ts';
import { nextChange } from './next-change.ts';
import { page } from './pages.ts';
import { received } from './received.ts';
import { checkDeadline, checkPullable, checkSubscription, invalid, updateSubscription } from './settings.ts';
import { streamingPull } from './streaming-pull.ts';

const v1 = protos.google.pubsub.v1;
const { Empty } = protos.google.protobuf;
const SERVICE = '/google.pubsub.v1.Subscriber';

const MAX_PULL_MESSAGES = 1000;
const MAX_PULL_BYTES = 10_000_000;
const PULL_WAIT_MS = 5_000;

/** @param hasIssuer whether push with an OIDC token can be done */
export function subscriberMethods(engine: Engine, hasIssuer: boolean): Method[] {
  const checkPushIdentity = (pushConfig: protos.google.pubsub.v1.IPushConfig | null | undefined): void => {
    if (pushConfig?.oidcToken && !hasIssuer) {
      throw new RpcError(
        status.FAILED_PRECONDITION,
        'This server was started without an issuer: open it with mintIdToken',
      );
    }
  };
  return [
    rpc(`${SERVICE}/CreateSubscription`, v1.Subscription, v1.Subscription, (request) => {
      checkPushIdentity(request.pushConfig);
      const subscription = new v1.Subscription(checkSubscription(request));
      engine.createSubscription(subscription);
      return subscription;
    }),
    rpc(
      `${SERVICE}/GetSubscription`,
      v1.GetSubscriptionRequest,
      v1.Subscription,
      ({ subscription }) => new v1.Subscription(engine.subscription(subscription)),
    ),
    rpc(`${SERVICE}/UpdateSubscription`, v1.UpdateSubscriptionRequest, v1.Subscription, (request) => {
      const wanted = request.subscription ?? {};
      checkPushIdentity(wanted.pushConfig);
      const current = engine.subscription(wanted.name);
      const updated = new v1.Subscription(updateSubscription(current, wanted, request.updateMask?.paths ?? []));
      engine.replaceSubscription(updated);
      return updated;
    }),
    rpc(`${SERVICE}/ModifyPushConfig`, v1.ModifyPushConfigRequest, Empty, ({ subscription, pushConfig }) => {
      checkPushIdentity(pushConfig);
      const wanted = { pushConfig: pushConfig ?? {} };
      engine.replaceSubscription(updateSubscription(engine.subscription(subscription), wanted, ['push_config']));
      return new Empty();
    }),
    rpc(`${SERVICE}/ListSubscriptions`, v1.ListSubscriptionsRequest, v1.ListSubscriptionsResponse, (request) => {
      const { items, nextPageToken } = page(engine.subscriptions(request.project), ({ name }) => name ?? '', request);
      return new v1.ListSubscriptionsResponse({ subscriptions: items, nextPageToken });
    }),
    rpc(`${SERVICE}/DeleteSubscription`, v1.DeleteSubscriptionRequest, Empty, ({ subscription }) => {
      engine.deleteSubscription(subscription);
      return new Empty();
    }),
    rpc(`${SERVICE}/Pull`, v1.PullRequest, v1.PullResponse, (request, { signal }) => pull(engine, request, signal)),
    bidiRpc(
      `${SERVICE}/StreamingPull`,
      v1.StreamingPullRequest,
      v1.StreamingPullResponse,
      (requests, send, { signal }) => streamingPull(engine, requests, send, signal),
    ),
    leaseMethod(`${SERVICE}/Acknowledge`, v1.AcknowledgeRequest, ({ subscription, ackIds }) => {
      const leases = ackIds.map((ackId) => decodeAckId(subscription, ackId));
      refuseLeases(engine.acknowledge(subscription, leases).map((lease) => encodeAckId(subscription, lease)));
    }),
    leaseMethod(`${SERVICE}/ModifyAckDeadline`, v1.ModifyAckDeadlineRequest, (request) => {
      const { subscription, ackIds, ackDeadlineSeconds } = request;
      const deadlineMs = checkDeadline(ackDeadlineSeconds);
      const leases = ackIds.map((ackId) => ({ ...decodeAckId(subscription, ackId), deadlineMs }));
      refuseLeases(engine.modifyDeadline(subscription, leases).map((lease) => encodeAckId(subscription, lease)));
    }),
    rpc(`${SERVICE}/Seek`, v1.SeekRequest, v1.SeekResponse, () => {
      throw new RpcError(status.UNIMPLEMENTED, 'The local server cannot seek: it keeps no acknowledged messages');
    }),
    ...snapshotMethods(),
  ];
}

async function pull(
  engine: Engine,
  request: protos.google.pubsub.v1.PullRequest,
  signal: AbortSignal,
): Promise<protos.google.pubsub.v1.PullResponse> {
  const { subscription, maxMessages, returnImmediately } = request;
  if (maxMessages <= 0) throw invalid(`max_messages is ${maxMessages}, wanted 1 or more`);
  const consumer: Consumer = { released() {} };
  const limits = { maxMessages: Math.min(maxMessages, MAX_PULL_MESSAGES), maxBytes: MAX_PULL_BYTES, consumer };
  const ending = new AbortController();
  const end = (): void => ending.abort();
  // No AbortSignal.timeout() in AbortSignal.any(): Node may forget that it was aborted.
  const timer = setTimeout(end, returnImmediately ? 0 : PULL_WAIT_MS);
  signal.addEventListener('abort', end, { once: true });
  try {
    for (;;) {
      const settings = engine.subscription(subscription);
      checkPullable(settings);
      const deliveries = signal.aborted ? [] : engine.lease(subscription, limits);
      if (deliveries.length > 0 || returnImmediately || ending.signal.aborted || signal.aborted) {
        return new v1.PullResponse({ receivedMessages: deliveries.map((delivery) => received(settings, delivery)) });
      }
      await nextChange(engine, subscription, ending.signal);
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}

function snapshotMethods(): Method[] {
  const refuse = (): never => {
    throw new RpcError(status.UNIMPLEMENTED, 'The local server has no snapshots');
  };
  return [
    rpc(`${SERVICE}/GetSnapshot`, v1.GetSnapshotRequest, v1.Snapshot, refuse),
    rpc(`${SERVICE}/ListSnapshots`, v1.ListSnapshotsRequest, v1.ListSnapshotsResponse, refuse),
    rpc(`${SERVICE}/CreateSnapshot`, v1.CreateSnapshotRequest, v1.Snapshot, refuse),
    rpc(`${SERVICE}/UpdateSnapshot`, v1.UpdateSnapshotRequest, v1.Snapshot, refuse),
    rpc(`${SERVICE}/DeleteSnapshot`, v1.DeleteSnapshotRequest, Empty, refuse),
  ];
}
