import protos from '@google-cloud/pubsub-api/build/protos/protos.js';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../grpc.ts';
import type { DeliveryRules } from './backlog.ts';
import { type Filter, parseFilter } from './filter.ts';
import { fromDuration, toDuration } from './time.ts';

type ISubscription = protos.google.pubsub.v1.ISubscription;
type ITopic = protos.google.pubsub.v1.ITopic;
const { Subscription } = protos.google.pubsub.v1;

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const DEFAULT_ACK_DEADLINE_SECONDS = 10;
const MAX_ACK_DEADLINE_SECONDS = 600;
const MAX_BACKOFF_MS = 600_000;
const NAME = /^projects\/[^/]+\/(topics|subscriptions)\/([A-Za-z][\w.~+%-]{2,254})$/;
const MUTABLE = new Set([
  'ackDeadlineSeconds',
  'deadLetterPolicy',
  'enableExactlyOnceDelivery',
  'expirationPolicy',
  'labels',
  'messageRetentionDuration',
  'pushConfig',
  'retryPolicy',
]);

export function invalid(message: string): RpcError {
  return new RpcError(status.INVALID_ARGUMENT, message);
}

/** Refuses a resource name that production would refuse. */
export function checkName(name: string | null | undefined, collection: 'topics' | 'subscriptions'): string {
  const found = NAME.exec(name ?? '');
  if (!name || found?.[1] !== collection || found[2]?.startsWith('goog')) {
    throw invalid(
      `Invalid [${collection}] name: (name=${name}), wanted projects/PROJECT/${collection}/NAME of 3 to 255 characters`,
    );
  }
  return name;
}

/** Refuses settings of a topic that this server does not have. */
export function checkTopic(topic: ITopic): ITopic {
  checkName(topic.name, 'topics');
  refuse('Topic', {
    schema_settings: topic.schemaSettings,
    ingestion_data_source_settings: topic.ingestionDataSourceSettings,
    kms_key_name: topic.kmsKeyName,
    message_transforms: topic.messageTransforms?.length,
    message_retention_duration: topic.messageRetentionDuration,
  });
  return topic;
}

/** Fills in a subscription's defaults and refuses what is out of range, or not to be had here. */
export function checkSubscription(wanted: ISubscription): ISubscription {
  checkName(wanted.name, 'subscriptions');
  refuse('Subscription', {
    bigquery_config: wanted.bigqueryConfig,
    cloud_storage_config: wanted.cloudStorageConfig,
    bigtable_config: wanted.bigtableConfig,
    message_transforms: wanted.messageTransforms?.length,
    retain_acked_messages: wanted.retainAckedMessages,
    detached: wanted.detached,
  });
  const ackDeadlineSeconds = wanted.ackDeadlineSeconds || DEFAULT_ACK_DEADLINE_SECONDS;
  if (ackDeadlineSeconds < DEFAULT_ACK_DEADLINE_SECONDS || ackDeadlineSeconds > MAX_ACK_DEADLINE_SECONDS) {
    throw invalid(`Invalid ack deadline given: (ackDeadlineSeconds=${ackDeadlineSeconds}), wanted 10 to 600`);
  }
  filterOf(wanted);
  checkPush(wanted);
  return new Subscription({
    ...wanted,
    ackDeadlineSeconds,
    pushConfig: wanted.pushConfig ?? {},
    messageRetentionDuration: toDuration(
      inRange('message_retention_duration', wanted.messageRetentionDuration, {
        fallback: 7 * DAY_MS,
        from: 10 * MINUTE_MS,
        to: 31 * DAY_MS,
      }),
    ),
    expirationPolicy: wanted.expirationPolicy ?? { ttl: toDuration(31 * DAY_MS) },
    ...checkedPolicies(wanted),
    state: Subscription.State.ACTIVE,
  });
}

function checkedPolicies(wanted: ISubscription): Pick<ISubscription, 'retryPolicy' | 'deadLetterPolicy'> {
  const checked: Pick<ISubscription, 'retryPolicy' | 'deadLetterPolicy'> = {};
  if (wanted.retryPolicy) {
    const { minimumBackoff, maximumBackoff } = wanted.retryPolicy;
    const minMs = inRange('minimum_backoff', minimumBackoff, { fallback: 10_000, from: 0, to: MAX_BACKOFF_MS });
    const maxMs = inRange('maximum_backoff', maximumBackoff, { fallback: MAX_BACKOFF_MS, from: 0, to: MAX_BACKOFF_MS });
    if (minMs > maxMs) throw invalid(`The minimum backoff of ${minMs} ms exceeds the maximum of ${maxMs} ms`);
    checked.retryPolicy = { minimumBackoff: toDuration(minMs), maximumBackoff: toDuration(maxMs) };
  }
  if (wanted.deadLetterPolicy) {
    const { deadLetterTopic, maxDeliveryAttempts } = wanted.deadLetterPolicy;
    const attempts = maxDeliveryAttempts || 5;
    if (attempts < 5 || attempts > 100) throw invalid(`max_delivery_attempts is ${attempts}, wanted 5 to 100`);
    checked.deadLetterPolicy = { deadLetterTopic: checkName(deadLetterTopic, 'topics'), maxDeliveryAttempts: attempts };
  }
  return checked;
}

function checkPush({ pushConfig, enableExactlyOnceDelivery }: ISubscription): void {
  const endpoint = pushConfig?.pushEndpoint;
  if (!endpoint) return;
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw invalid(`Invalid push endpoint given (endpoint=${endpoint}), wanted an http or https URL`);
  }
  if (enableExactlyOnceDelivery) throw invalid('Exactly-once delivery is not available for push subscriptions');
  if (pushConfig?.oidcToken && !pushConfig.oidcToken.serviceAccountEmail) {
    throw invalid('oidc_token needs a service_account_email');
  }
}

/** Applies the fields that a mask names. */
export function updateSubscription(
  current: ISubscription,
  wanted: ISubscription,
  paths: readonly string[],
): ISubscription {
  if (paths.length === 0)
    throw invalid('The update_mask in the UpdateSubscriptionRequest must be set, and must contain a path');
  const updated: Record<string, unknown> = { ...current };
  for (const path of paths) {
    const field = path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    if (!MUTABLE.has(field)) {
      throw invalid(`Invalid update_mask provided in the UpdateSubscriptionRequest: ${path} cannot be changed`);
    }
    updated[field] = Reflect.get(wanted, field);
  }
  return checkSubscription(updated);
}

export function filterOf(subscription: ISubscription): Filter {
  try {
    return parseFilter(subscription.filter ?? '');
  } catch (error) {
    throw new RpcError(status.INVALID_ARGUMENT, error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
}

export function rulesOf(subscription: ISubscription): DeliveryRules {
  const { retryPolicy, deadLetterPolicy } = subscription;
  return {
    ordered: subscription.enableMessageOrdering ?? false,
    exactlyOnce: subscription.enableExactlyOnceDelivery ?? false,
    retry: retryPolicy
      ? { minMs: fromDuration(retryPolicy.minimumBackoff) ?? 0, maxMs: fromDuration(retryPolicy.maximumBackoff) ?? 0 }
      : undefined,
    maxDeliveryAttempts: deadLetterPolicy ? (deadLetterPolicy.maxDeliveryAttempts ?? 5) : undefined,
    retentionMs: fromDuration(subscription.messageRetentionDuration) ?? 7 * DAY_MS,
  };
}

/** @returns milliseconds */
export function checkDeadline(seconds: number): number {
  if (seconds < 0 || seconds > MAX_ACK_DEADLINE_SECONDS) {
    throw invalid(
      `Invalid ack deadline given: (ackDeadlineSeconds=${seconds}), wanted 0 to ${MAX_ACK_DEADLINE_SECONDS}`,
    );
  }
  return seconds * 1000;
}

/** Refuses to pull where messages are pushed. */
export function checkPullable({ name, pushConfig }: ISubscription): void {
  if (pushConfig?.pushEndpoint) {
    throw new RpcError(status.FAILED_PRECONDITION, `Subscription ${name} pushes: it cannot be pulled from`);
  }
}

function inRange(
  name: string,
  duration: protos.google.protobuf.IDuration | null | undefined,
  range: { fallback: number; from: number; to: number },
): number {
  const ms = fromDuration(duration) ?? range.fallback;
  if (ms < range.from || ms > range.to) {
    throw invalid(`${name} is ${ms / 1000} s, wanted ${range.from / 1000} to ${range.to / 1000} s`);
  }
  return ms;
}

function refuse(what: string, fields: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (value)
      throw new RpcError(status.UNIMPLEMENTED, `${what}.${name} is not to be had on the local server: leave it out`);
  }
}
